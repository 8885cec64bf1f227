/** The crate's unit tests that WebAssembly can run, of the kernels above all: every backend in one real browser. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { WASM_UNIT_TESTS } from '../../scripts/build.mjs';
import { ROOT, addressOf, launch } from './browser.mjs';

test('all backends of WebAssembly give the reference to the bit', async () => {
  // The runner serves a page that runs the tests, and leaves the browser to us.
  const served = { NO_HEADLESS: '1', WASM_BINDGEN_USE_BROWSER: '1', WASM_BINDGEN_TEST_ADDRESS: '127.0.0.1:0' };
  const runner = spawn('cargo', ['test', ...WASM_UNIT_TESTS], { cwd: ROOT, env: { ...process.env, ...served }, detached: true });
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.goto(await addressOf(runner));
    const output = page.locator('#output');
    await output.filter({ hasText: /test result:/ }).waitFor({ timeout: 120_000 });
    const said = await output.innerText();
    assert.match(said, /test result: ok\. [1-9]\d* passed; 0 failed/, said);
    assert.match(said, /all_equal_the_formula_and_the_reference_to_the_bit/, said);
  } finally {
    await browser.close();
    // With all its children: cargo would leave the server behind.
    if (runner.pid) process.kill(-runner.pid);
  }
});
