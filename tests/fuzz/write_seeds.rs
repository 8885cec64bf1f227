//! Writes each target's seeds into a folder, for libFuzzer to start from: `write_seeds TARGET FOLDER`.

mod seeds;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, target, folder] = &arguments[..] else { panic!("usage: write_seeds TARGET FOLDER") };
    std::fs::create_dir_all(folder)?;
    for (index, seed) in seeds::seeds(target).iter().enumerate() {
        std::fs::write(format!("{folder}/seed-{index}"), seed)?;
    }
    Ok(())
}
