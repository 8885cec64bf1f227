/** The browsers of the tests, as Debian packages them: browsers are not npm packages. */
import { existsSync } from 'node:fs';
import { MissingTool, ensureDebianPackages } from './system-packages.mjs';

/**
 * @typedef {object} Browser
 * @property {string} program
 * @property {string} variable names another program
 * @property {string[]} needs files that must exist
 * @property {string[]} packages that contain them
 */

const chromium = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const firefox = process.env['FIREFOX'] ?? '/usr/bin/firefox-esr';
const webkit = process.env['WEBKIT_DRIVER'] ?? '/usr/bin/WebKitWebDriver';

/** @type {Record<'chromium' | 'firefox' | 'webkit', Browser>} */
export const BROWSERS = {
  chromium: { program: chromium, variable: 'CHROMIUM', needs: [chromium], packages: ['chromium'] },
  firefox: { program: firefox, variable: 'FIREFOX', needs: [firefox], packages: ['firefox-esr'] },
  webkit: {
    program: webkit, variable: 'WEBKIT_DRIVER', needs: [webkit, '/usr/bin/xvfb-run'], packages: ['webkit2gtk-driver', 'xvfb', 'xauth'],
  },
};

/** @typedef {keyof typeof BROWSERS} BrowserName */

/** Chromium's arguments: it runs as root in CI, and must not use the network by itself. */
export const CHROMIUM_FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/**
 * Makes sure that a browser is there.
 * @param {BrowserName} name
 */
export async function ensureBrowser(name) {
  const { needs, variable, packages } = BROWSERS[name];
  if (needs.every((file) => existsSync(file))) return;
  const named = process.env[variable];
  if (named && !existsSync(named)) throw new MissingTool(`${variable}=${named}: there is no such file`);
  await ensureDebianPackages(`The browser ${name}`, packages, `, or name its program by ${variable}=/path`);
}
