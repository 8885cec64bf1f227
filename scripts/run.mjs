/** Runs other programs, and reports in one line which failed. */
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The repository's root, where every program runs. */
export const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** A failure whose message says everything: it is printed without a stack. */
export class Failure extends Error {}

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/** Ends the programs that `run` waits for. */
export function stopPrograms() {
  for (const child of running) child.kill();
}

/**
 * Runs a program to its end, and shows its output: on stderr, so that stdout holds only the script's own result.
 * @param {string} program
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env] added to this process's own
 * @returns {Promise<void>}
 */
export function run(program, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', process.stderr, 'inherit'],
    });
    running.add(child);
    child.on('close', () => running.delete(child));
    child.on('error', (error) => reject(new Failure(`${program}: ${error.message}`)));
    child.on('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Failure(`failed (${signal ?? `exit ${code}`}): ${program} ${args.join(' ')}`));
    });
  });
}

/**
 * What a program prints, or null if it is missing or fails.
 * @param {string} program
 * @param {string[]} args
 */
export function output(program, args) {
  const { status, stdout } = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 26 });
  return status === 0 ? stdout.trim() : null;
}

/**
 * Runs a script's main function and ends the process with its failure.
 * @param {() => Promise<void>} main
 */
export async function script(main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Failure ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}

/**
 * Prints what starts now.
 * @param {string} what
 */
export function step(what) {
  console.log(`\n> ${what}`);
}
