/** Finds the tools that building and testing need, and installs what is missing. */
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, ROOT, output, run, step } from './run.mjs';

/** Where tools built from crates are put. */
const TOOLS = 'target/tools';

/** Where llama.cpp is put, and which version of node-llama-cpp carries it. */
const LLAMA = 'target/llama';
const LLAMA_VERSION = '3.22.1';

/** Where bundlers are put, and which. */
const BUNDLERS = 'target/bundlers';
const BUNDLER_VERSIONS = { vite: '8.3.8', webpack: '5.112.2' };

/** The architecture whose kernels this one has not, emulated. */
export const ARM = {
  target: 'aarch64-unknown-linux-gnu', linker: 'aarch64-linux-gnu-gcc', emulator: 'qemu-aarch64', root: '/usr/aarch64-linux-gnu',
};

/** The browser and its driver, as Debian names them. */
export const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
export const CHROMIUM_FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** Node itself, Rust and a C compiler: these the user must install. */
export function requireCompilers() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 11)) {
    throw new Failure(`Node 20.11 or later is needed; this is ${process.version}. On Debian: apt-get install nodejs npm`);
  }
  if (output('cargo', ['--version']) === null) {
    throw new Failure('Rust is missing. Install it with rustup (see rust-lang.org/tools/install), then open a new shell.');
  }
  if (output('cc', ['--version']) === null) {
    throw new Failure('A C compiler is missing. On Debian: apt-get install build-essential. On macOS: xcode-select --install');
  }
}

/** The packages of package-lock.json. */
export async function ensurePackages() {
  const installed = join(ROOT, 'node_modules/.package-lock.json');
  const locked = join(ROOT, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(locked).mtimeMs) return;
  step('installing npm packages');
  await run('npm', ['ci', '--no-audit', '--no-fund']);
}

/**
 * llama.cpp as node-llama-cpp prebuilds it for processors. No dependency of the
 * package, since npm would bring its gigabyte for graphics cards along.
 */
export async function ensureLlama() {
  const manifest = join(ROOT, LLAMA, 'node_modules/node-llama-cpp/package.json');
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === LLAMA_VERSION) return;
  /** @type {Record<string, string>} */
  const renamed = { darwin: 'mac', win32: 'win' };
  const platform = renamed[process.platform] ?? process.platform;
  const metal = platform === 'mac' && process.arch === 'arm64' ? '-metal' : '';
  const library = `@node-llama-cpp/${platform}-${process.arch}${metal}`;
  step(`installing node-llama-cpp ${LLAMA_VERSION}`);
  await run('npm', [
    'install', '--prefix', LLAMA, '--no-save', '--no-package-lock', '--omit=optional', '--ignore-scripts',
    `node-llama-cpp@${LLAMA_VERSION}`, `${library}@${LLAMA_VERSION}`,
  ]);
}

/** What the package is tried in, besides a page without any: bundlers, each with its defaults. */
export async function ensureBundlers() {
  const wanted = Object.entries(BUNDLER_VERSIONS);
  const found = wanted.every(([name, version]) => {
    const manifest = join(ROOT, BUNDLERS, 'node_modules', name, 'package.json');
    return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === version;
  });
  if (found) return;
  const packages = wanted.map(([name, version]) => `${name}@${version}`);
  step(`installing ${packages.join(' and ')}`);
  mkdirSync(join(ROOT, BUNDLERS), { recursive: true });
  await run('npm', ['install', '--prefix', BUNDLERS, '--no-save', '--no-package-lock', '--ignore-scripts', ...packages]);
}

/** Rust's standard library for WebAssembly, and the wasm-bindgen tools that Cargo.lock asks for. */
export async function ensureWasmTools() {
  await ensureTarget('wasm32-unknown-unknown', ' On Debian: apt-get install libstd-rust-dev-wasm32');
  const version = lockedVersion('wasm-bindgen');
  const installed = output(join(ROOT, TOOLS, 'bin/wasm-bindgen'), ['--version']);
  if (installed?.endsWith(` ${version}`)) return;
  step(`installing wasm-bindgen-cli ${version}`);
  // Not --locked: the versions that it was published with do not build on every Rust.
  await run('cargo', ['install', 'wasm-bindgen-cli', '--version', version, '--root', TOOLS, '--force', '--quiet']);
}

/**
 * @param {string} target
 * @param {string} [otherwise] what to do where there is no rustup
 */
async function ensureTarget(target, otherwise = '') {
  const sysroot = output('rustc', ['--print', 'sysroot']) ?? '';
  if (existsSync(join(sysroot, 'lib/rustlib', target, 'lib'))) return;
  if (output('rustup', ['--version']) === null) {
    throw new Failure(`Rust lacks the target ${target}, and there is no rustup to add it.${otherwise}`);
  }
  step(`adding the Rust target ${target}`);
  await run('rustup', ['target', 'add', target]);
}

/** The standard library's source: the builds for several threads compile it for shared memory. */
export async function ensureRustSource() {
  const sysroot = output('rustc', ['--print', 'sysroot']) ?? '';
  if (existsSync(join(sysroot, 'lib/rustlib/src/rust/library/std'))) return;
  if (output('rustup', ['--version']) === null) {
    throw new Failure("Rust's standard library has no source here, and there is no rustup to add it. On Debian: apt-get install rust-src");
  }
  step("adding the source of Rust's standard library");
  await run('rustup', ['component', 'add', 'rust-src']);
}

/** @param {string} crate */
function lockedVersion(crate) {
  const lock = readFileSync(join(ROOT, 'Cargo.lock'), 'utf8');
  const version = lock.match(new RegExp(`name = "${crate}"\\nversion = "(.+)"`))?.[1];
  if (!version) throw new Failure(`Cargo.lock names no ${crate}`);
  return version;
}

/** Chromium for the browser tests: Debian's, since browsers are not npm packages. */
export async function ensureChromium() {
  if (existsSync(CHROMIUM)) return;
  if (process.env['CHROMIUM']) throw new Failure(`CHROMIUM=${CHROMIUM}: no such file`);
  await installForDebian('Chromium', ['chromium'], ', or name another by CHROMIUM=/path npm test');
}

/** The C library, the linker and the emulator of the other architecture that has kernels of its own. */
export async function ensureArmTools() {
  await ensureTarget(ARM.target);
  const found = [ARM.linker, ARM.emulator].every((name) => output(name, ['--version']) !== null);
  // The compiler comes without a C library, and another package has an empty folder of it.
  if (found && existsSync(join(ARM.root, 'lib/crt1.o'))) return;
  await installForDebian('An emulator of 64-bit ARM', ['gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross', 'qemu-user']);
}

/**
 * Installs Debian's packages as root, or by sudo where that asks nothing.
 * @param {string} what they are, for the message where that cannot be
 * @param {string[]} packages
 * @param {string} [otherwise] what else the user may do
 */
async function installForDebian(what, packages, otherwise = '') {
  const command = ['apt-get', 'install', '-y', '--no-install-recommends', ...packages];
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const may = sudo.length === 0 || output('sudo', ['-n', 'true']) !== null;
  if (!may || output('apt-get', ['--version']) === null) {
    throw new Failure(`${what} is missing. Install it (${command.join(' ')})${otherwise}`);
  }
  step(`installing ${packages.join(', ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const asRoot = (/** @type {string[]} */ words) => run([...sudo, ...words][0] ?? '', [...sudo, ...words].slice(1), env);
  await asRoot(['apt-get', 'update', '-qq']);
  await asRoot([...command, '-qq']);
}
