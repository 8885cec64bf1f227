/** The tools that building and testing need: found, or installed into target/. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianPackages } from './system-packages.mjs';
import { Failure, ROOT, output, run, step } from './run.mjs';

/** Where tools built from crates are put. */
const TOOLS = 'target/tools';

/** Where llama.cpp is put, and which version of node-llama-cpp carries it. */
const LLAMA = 'target/llama';
const LLAMA_VERSION = '3.22.1';

/** Where bundlers are put, and which. */
const BUNDLERS = 'target/bundlers';
const BUNDLER_VERSIONS = { vite: '8.3.8', webpack: '5.112.2' };

/** 64-bit ARM, emulated where this machine is another. */
export const ARM = {
  target: 'aarch64-unknown-linux-gnu', linker: 'aarch64-linux-gnu-gcc', emulator: 'qemu-aarch64', root: '/usr/aarch64-linux-gnu',
};

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

/** The bundlers that the package is tested with, each with its defaults. */
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

/** The tools' own compiler settings: they run for seconds, so that optimising them would take longer than it saves. */
const QUICK_BUILD = {
  CARGO_PROFILE_RELEASE_OPT_LEVEL: '0', CARGO_PROFILE_RELEASE_LTO: 'off', CARGO_PROFILE_RELEASE_DEBUG: '0',
  CARGO_TARGET_DIR: `${TOOLS}/build`,
};

/** The program that writes a module's JavaScript bindings: scripts/bindgen.rs. */
export const BINDGEN = `${TOOLS}/build/release/bindgen`;

/** Rust's standard library for WebAssembly, and wasm-bindgen as Cargo.lock has it. */
export async function ensureBindgen() {
  await ensureTarget('wasm32-unknown-unknown', ' On Debian: apt-get install libstd-rust-dev-wasm32');
  const version = lockedVersion('wasm-bindgen');
  const folder = join(ROOT, TOOLS, 'bindgen');
  const source = join(ROOT, 'scripts/bindgen.rs');
  const manifest = `[package]
name = "bindgen"
version = "${version}"
edition = "2024"

[[bin]]
name = "bindgen"
path = ${JSON.stringify(source)}

[dependencies]
wasm-bindgen-cli-support = "=${version}"

[workspace]
`;
  const file = join(folder, 'Cargo.toml');
  const current = existsSync(file) && readFileSync(file, 'utf8') === manifest;
  const program = join(ROOT, BINDGEN);
  if (current && existsSync(program) && statSync(program).mtimeMs >= statSync(source).mtimeMs) return;
  step(`building wasm-bindgen ${version}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, manifest);
  await run('cargo', ['build', '--release', '--quiet', '--manifest-path', file], QUICK_BUILD);
}

/** The runner of tests in WebAssembly, which .cargo/config.toml names. */
export async function ensureTestRunner() {
  await ensureTarget('wasm32-unknown-unknown', ' On Debian: apt-get install libstd-rust-dev-wasm32');
  const version = lockedVersion('wasm-bindgen');
  const runner = 'wasm-bindgen-test-runner';
  const installed = output(join(ROOT, TOOLS, 'bin', runner), ['--version']);
  if (installed?.endsWith(` ${version}`)) return;
  step(`installing ${runner} ${version}`);
  // Not --locked: the versions that it was published with do not build on every Rust.
  const args = ['install', 'wasm-bindgen-cli', '--version', version, '--bin', runner, '--root', TOOLS, '--force', '--quiet'];
  await run('cargo', args, QUICK_BUILD);
}

/**
 * @param {string} target
 * @param {string} [otherwise] what to do without rustup
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

/** The C library, the linker and the emulator of the other architecture that has kernels of its own. */
export async function ensureArmTools() {
  await ensureTarget(ARM.target);
  const found = [ARM.linker, ARM.emulator].every((name) => output(name, ['--version']) !== null);
  // The compiler's package lacks a C library, and another package makes an empty folder for it.
  if (found && existsSync(join(ARM.root, 'lib/crt1.o'))) return;
  await ensureDebianPackages('An emulator of 64-bit ARM', ['gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross', 'qemu-user']);
}
