//! `candle-peer FILE`: reads a prompt from each line of stdin, ids with blanks between, and
//! prints the seconds; first those of the load. `RAYON_NUM_THREADS` sets the threads.

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::time::Instant;

use candle_peer::Peer;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("no file is named")?;
    let start = Instant::now();
    let mut peer = Peer::load(BufReader::new(File::open(file)?))?;
    println!("{}", start.elapsed().as_secs_f64());
    for line in std::io::stdin().lines() {
        let line = line?;
        let ids: Vec<u32> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let start = Instant::now();
        let logits = peer.prompt(&ids)?;
        let seconds = start.elapsed().as_secs_f64();
        if !logits.iter().all(|logit| logit.is_finite()) {
            return Err("a logit is not finite".into());
        }
        println!("{seconds}");
    }
    Ok(())
}
