/** A client of WebDriver (w3.org/TR/webdriver2), as small as the WebKit tests need. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BROWSERS } from '../../scripts/browsers.mjs';

/** A session with WebKitGTK's MiniBrowser on a virtual display. */
export class WebKit {
  /** @type {import('node:child_process').ChildProcess} */
  #driver;
  #address;
  #session = '';

  /**
   * @param {import('node:child_process').ChildProcess} driver
   * @param {string} address
   */
  constructor(driver, address) {
    this.#driver = driver;
    this.#address = address;
  }

  /** Starts the driver and a browser. */
  static async start() {
    const port = await freePort();
    const driver = spawn('xvfb-run', ['--auto-servernum', BROWSERS.webkit.program, `--port=${port}`], { detached: true, stdio: 'inherit' });
    const webkit = new WebKit(driver, `http://127.0.0.1:${port}`);
    await webkit.#ready();
    const browser = { binary: miniBrowser(), args: ['--automation'] };
    const { sessionId } = await webkit.#send('POST', '/session', {
      capabilities: { alwaysMatch: { 'webkitgtk:browserOptions': browser, timeouts: { script: 120_000 } } },
    });
    webkit.#session = `/session/${sessionId}`;
    return webkit;
  }

  /** @param {string} url */
  async goto(url) {
    await this.#send('POST', `${this.#session}/url`, { url });
  }

  /**
   * Calls a function in the page, and waits for what it returns.
   * @template A, R
   * @param {(argument: A) => Promise<R>} inPage
   * @param {A} argument
   * @returns {Promise<R>}
   */
  async evaluate(inPage, argument) {
    const script = `const [argument, done] = arguments;
      (${inPage})(argument).then((value) => done({ value }), (error) => done({ error: String(error) }));`;
    const { value, error } = await this.#send('POST', `${this.#session}/execute/async`, { script, args: [argument] });
    if (error) throw new Error(error);
    return value;
  }

  /** Ends the browser, the driver and the display. */
  async stop() {
    if (this.#session) await this.#send('DELETE', this.#session).catch(() => {});
    if (this.#driver.pid) process.kill(-this.#driver.pid);
  }

  /** Waits until the driver accepts connections. */
  async #ready() {
    for (const end = Date.now() + 20_000; ; ) {
      try {
        return await this.#send('GET', '/status');
      } catch (error) {
        if (Date.now() > end || this.#driver.exitCode !== null) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  /**
   * @param {'GET' | 'POST' | 'DELETE'} method
   * @param {string} path
   * @param {object} [body]
   */
  async #send(method, path, body) {
    const response = await fetch(this.#address + path, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
    const { value } = /** @type {{ value: any }} */ (await response.json());
    if (!response.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
    return value;
  }
}

/** WebKitGTK's browser for tests, whose folder is named after the architecture and the version. */
function miniBrowser() {
  const folders = readdirSync('/usr/lib').flatMap((architecture) =>
    ['webkit2gtk-4.1', 'webkitgtk-6.0', 'webkit2gtk-4.0'].map((version) => join('/usr/lib', architecture, version)));
  const found = folders.map((folder) => join(folder, 'MiniBrowser')).find((file) => existsSync(file));
  if (!found) throw new Error('WebKitGTK has no MiniBrowser here');
  return found;
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address());
      probe.close(() => resolve(port));
    });
  });
}
