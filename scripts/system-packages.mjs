/** System packages that tests need: installed where that is allowed, otherwise named. */
import { Failure, output, run, step } from './run.mjs';

/** A tool that is missing and that this run may not install. */
export class MissingTool extends Failure {}

/** Whether this run may install system packages: in CI, and where it is told to. */
const mayInstall = process.env['CI'] === 'true' || process.argv.includes('--install');

/**
 * Installs Debian's packages, as root or by sudo without a password.
 * @param {string} what they are, for the message
 * @param {string[]} packages
 * @param {string} [otherwise] what else the user may do
 */
export async function ensureDebianPackages(what, packages, otherwise = '') {
  const command = ['apt-get', 'install', '-y', '--no-install-recommends', ...packages];
  const sudo = process.getuid?.() === 0 ? [] : ['sudo'];
  const byHand = [...sudo, ...command].join(' ');
  if (!mayInstall) {
    throw new MissingTool(`${what} is missing. Install it (${byHand})${otherwise}, or let this command do so: add -- --install`);
  }
  const possible = output('apt-get', ['--version']) !== null && (sudo.length === 0 || output('sudo', ['-n', 'true']) !== null);
  if (!possible) throw new MissingTool(`${what} is missing and cannot be installed from here. Install it (${byHand})${otherwise}`);
  step(`installing ${packages.join(', ')}`);
  await asRoot(['apt-get', 'update', '-qq']);
  await asRoot([...command, '-qq']);
}

/** @param {string[]} command */
function asRoot(command) {
  const [program = '', ...args] = process.getuid?.() === 0 ? command : ['sudo', '-n', ...command];
  return run(program, args, { DEBIAN_FRONTEND: 'noninteractive' });
}
