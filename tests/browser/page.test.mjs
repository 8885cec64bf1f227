/** The demo page as a person uses it. */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { EVERY_BROWSER, test } from './fixtures.mjs';
import { ROOT, SEEDS, UNTRAINED, nativeScores } from './program.mjs';

const READY = '#model-status:text-is("Ready.")';
/** Of a request that was sent before: as it starts, the status changes. */
const DONE = '#answer-status:has-text("best first, in")';

test('the page loads its model, says that it is small, and logs no fault', EVERY_BROWSER, async ({ demo: { page, faults } }) => {
  await page.waitForSelector(READY);
  assert.ok(await page.isVisible('#small'));
  assert.match(await page.innerText('#small'), /small default model.*Qwen3-Reranker-0\.6B/is);
  assert.match(await page.innerText('#model-facts'), /Name\s+\S+/);
  assert.match(await page.innerText('#model-facts'), /Runs on\s+(relaxed )?SIMD, \d+ thread/);
  assert.ok(await page.isHidden('#model-progress'));
  assert.deepEqual(faults, []);
});

test('a load fills its progress bar', async ({ demo: { page } }) => {
  await page.waitForSelector(READY);
  await page.evaluate(() => new Promise((resolve) => {
    const progress = document.getElementById('model-progress');
    if (!(progress instanceof HTMLProgressElement)) throw new Error('there is no progress bar');
    const look = () => progress.value === 1 && resolve(null);
    new MutationObserver(look).observe(progress, { attributes: true });
    document.getElementById('default')?.click();
  }));
});

test('the example is ranked unasked, best first, with the native scores', EVERY_BROWSER, async ({ demo: { page, faults } }) => {
  await page.waitForSelector('.result');
  const shown = await page.locator('.result .text').allInnerTexts();
  const scores = (await page.locator('.result .score').allInnerTexts()).map(Number);
  const { query, documents } = SEEDS.regolo;
  assert.equal(await page.inputValue('#query'), query);
  assert.deepEqual([...shown].sort(), [...documents].sort());
  assert.match(await page.innerText('#model-facts'), /First order\s+after \d+ ms/);
  assert.match(shown[0] ?? '', /^Washington, D\.C\. is the capital/);
  assert.deepEqual(scores, [...scores].sort((a, b) => b - a));
  const native = nativeScores(query, documents);
  shown.forEach((text, place) => {
    const expected = native[documents.indexOf(text)] ?? Number.NaN;
    assert.ok(Math.abs((scores[place] ?? 0) - expected) < 5.1e-5, `${text}: ${scores[place]}, natively ${expected}`);
  });
  const widths = await page.locator('.bar').evaluateAll((bars) => bars.map((bar) => bar.style.width));
  assert.ok(widths.every((width) => width.endsWith('%')), `${widths}`);
  assert.deepEqual(faults, []);
  await page.fill('#document-1', 'The capital of the United States is Washington.');
  await page.click('#rerank');
  await page.waitForSelector('.result:has-text("The capital of the United States is Washington.")');
});

test('what someone has begun to write is not ranked unasked', async ({ page, address }) => {
  // As soon as the page is there, so that no model is faster.
  await page.addInitScript(() => addEventListener('DOMContentLoaded', () => {
    const query = document.querySelector('#query');
    if (query instanceof HTMLInputElement) query.value = 'What is the capital of Nevada?';
  }));
  await page.goto(address);
  await page.waitForSelector('#rerank:enabled');
  assert.equal(await page.inputValue('#query'), 'What is the capital of Nevada?');
  assert.equal(await page.locator('.result').count(), 0);
});

test('documents are added and removed by keyboard, and top_n cuts', async ({ demo: { page } }) => {
  await page.focus('#add');
  await page.keyboard.press('Enter');
  await page.keyboard.type('Paris is the capital of France.');
  await page.getByRole('button', { name: 'Remove document 1', exact: true }).press('Enter');
  assert.equal(await page.locator('.document').count(), 4);
  await page.getByText('Options').click();
  await page.fill('#top-n', '2');
  await page.waitForSelector('#rerank:enabled');
  await page.focus('#query');
  await page.keyboard.press('Enter');
  await page.waitForSelector(DONE);
  assert.equal(await page.locator('.result').count(), 2);
});

test('a bad request shows its error, and the next one works', async ({ demo: { page } }) => {
  await page.waitForSelector(READY);
  await page.fill('#query', '  ');
  await page.click('#rerank');
  await page.waitForSelector('#answer-error:visible');
  assert.match(await page.innerText('#answer-error'), /^query: /);
  await page.fill('#query', 'again');
  await page.click('#rerank');
  await page.waitForSelector(DONE);
  assert.ok(await page.isHidden('#answer-error'));
});

test('Stop ends a long request, and the next one works', async ({ demo: { page } }) => {
  await page.waitForSelector(READY);
  const long = 'Words without end, and then some more of them. '.repeat(4000);
  for (let index = 1; index <= 4; index++) await page.fill(`#document-${index}`, `${index} ${long}`);
  await page.click('#rerank');
  await page.click('#stop');
  await page.waitForSelector('#answer-status:text-is("Stopped.")');
  for (let index = 1; index <= 4; index++) await page.fill(`#document-${index}`, `short ${index}`);
  await page.click('#rerank');
  await page.waitForSelector(DONE);
});

test('a file of the user replaces the model; a bad one and a bad address show why', async ({ demo: { page } }) => {
  await page.waitForSelector(READY);
  await page.getByText('Use another model').click();
  await page.setInputFiles('#file', { name: 'notes.gguf', mimeType: '', buffer: Buffer.from('not a model') });
  await page.waitForSelector('#model-error:visible');
  assert.match(await page.innerText('#model-error'), /invalid model file/);
  assert.ok(await page.isDisabled('#rerank'));
  await page.fill('#url', 'models/missing.gguf');
  await page.getByRole('button', { name: 'Load', exact: true }).click();
  await page.waitForSelector('#model-error:has-text("404")');
  await page.setInputFiles('#file', fileURLToPath(new URL(UNTRAINED, ROOT)));
  await page.waitForSelector(READY);
  assert.ok(await page.isHidden('#small'), 'the label is for the default model');
  await page.click('#rerank');
  await page.waitForSelector(DONE);
});

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  test.describe(`at phone width, ${colorScheme}`, () => {
    test.use({ viewport: { width: 360, height: 740 }, colorScheme });

    test('nothing scrolls sideways', async ({ demo: { page } }) => {
      await page.getByText('Use another model').click();
      await page.getByText('Options').click();
      await page.fill('#document-1', 'x'.repeat(400));
      await page.click('#rerank');
      await page.waitForSelector(DONE);
      const { scroll, client } = await page.evaluate(() => ({
        scroll: document.documentElement.scrollWidth,
        client: document.documentElement.clientWidth,
      }));
      assert.ok(scroll <= client, `${scroll} > ${client}`);
    });
  });
}
