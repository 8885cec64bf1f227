/**
 * `npm run fuzz -- TARGET [SECONDS]`: runs libFuzzer on a target of tests/fuzz, a minute unless told otherwise.
 *
 * libFuzzer comes with a crate and its counters with stable Rust's own compiler, so that neither cargo-fuzz nor a
 * nightly toolchain is needed. What it finds stays in target/fuzz: inputs that reach new code in corpus/TARGET, those
 * that fail in failures/TARGET.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, ROOT, output, run, script, step } from './run.mjs';

const MANIFEST = 'tests/fuzz/Cargo.toml';
const TARGETS = readdirSync(join(ROOT, 'tests/fuzz'))
  .filter((name) => name.endsWith('.rs') && !['targets.rs', 'seeds.rs', 'write_seeds.rs'].includes(name))
  .map((name) => name.replace('.rs', ''));

/** What cargo-fuzz passes too: counters of the edges that were taken, and what comparisons compared. */
const COUNTERS = [
  '--cfg', 'fuzzing', '-Cpasses=sancov-module', '-Cllvm-args=-sanitizer-coverage-level=4',
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters', '-Cllvm-args=-sanitizer-coverage-pc-table',
  '-Cllvm-args=-sanitizer-coverage-trace-compares',
];

await script(async () => {
  const [target = '', seconds = '60'] = process.argv.slice(2);
  if (!TARGETS.includes(target)) throw new Failure(`give one of the targets ${TARGETS.join(', ')}, and how many seconds`);
  if (!(Number(seconds) > 0)) throw new Failure(`${seconds} is no number of seconds`);
  const host = output('rustc', ['-vV'])?.match(/^host: (.+)$/mu)?.[1] ?? '';
  const [corpus, failures] = ['corpus', 'failures'].map((name) => join(ROOT, 'target/fuzz', name, target));
  for (const folder of [corpus, failures]) mkdirSync(folder ?? '', { recursive: true });
  const writeSeeds = join(ROOT, 'target/fuzz/write_seeds');
  step(`fuzzing ${target} for ${seconds} s`);
  // By itself, since cargo would build the whole crate once more, without counters.
  await run('rustc', ['--edition', '2024', '-o', writeSeeds, 'tests/fuzz/write_seeds.rs']);
  await run(writeSeeds, [target, corpus ?? '']);
  // With a target named, build scripts and macros get no counters.
  await run('cargo', [
    'run', '--release', '--manifest-path', MANIFEST, '--target-dir', 'target/fuzz', '--target', host, '--bin', target, '--', corpus ?? '', `-max_total_time=${seconds}`, '-timeout=10',
    '-rss_limit_mb=2048', '-max_len=65536', `-artifact_prefix=${failures}/`, '-print_final_stats=1',
  ], { RUSTFLAGS: COUNTERS.join(' ') });
});
