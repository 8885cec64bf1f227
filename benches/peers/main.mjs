/**
 * `npm run bench:peers`: this project beside its peers, on the same file and the same texts, in turn, so
 * that whatever else the machine does meets both. `-- --only llama,wllama` leaves the other groups out.
 */
import { parseArgs } from 'node:util';
import { compare } from './compare.mjs';
import { KERNEL_SHARE, ensurePeers, rows } from './rows.mjs';
import { OPTIONS, PROGRAM, answer, prepare, randomModel, readOptions, requireModel } from './work.mjs';
import { Failure, output, script, step } from '../../scripts/run.mjs';

/** The group of the kernels' own limits; `qwen3-rerank bench` measures the native one. */
const OWN = 'kernels';
await script(async () => {
  const { values } = parseArgs({
    options: { ...OPTIONS, types: { type: 'string', default: 'q4_k_m,q8_0' }, only: { type: 'string' } },
  });
  const options = readOptions(values);
  const only = values.only?.split(',');
  await answer(options.json, () => measure(values.model, values.types.split(','), only, options), print);
});

/**
 * @param {string | undefined} model a file, or none for random ones of `types`
 * @param {string[]} types
 * @param {string[] | undefined} only
 * @param {import('./work.mjs').Options} options
 */
async function measure(model, types, only, options) {
  checkGroups(only);
  await prepare();
  await ensurePeers();
  const files = model === undefined ? types.map((type) => ({ type, file: '' })) : [{ type: '', file: requireModel(model) }];
  const results = [];
  const own = [];
  for (const { type, file } of files) {
    const made = file || (await randomModel(type));
    const chosen = rows(made, type, options).filter(({ group }) => only?.includes(group) ?? true);
    for (const row of chosen) results.push(...(await measureRow(made, row, options.runs)));
    const alone = (only?.includes(OWN) ?? true) ? measureOwn(made, options) : null;
    if (alone) own.push(alone);
  }
  return { rows: results, own };
}

/**
 * The result of one row; none if it failed, which the others survive.
 * @param {string} model
 * @param {import('./compare.mjs').Row} row
 * @param {number} runs
 */
async function measureRow(model, row, runs) {
  step(`${row.name}: ${row.ours.name} and ${row.peer.name}, ${model}`);
  const result = await compare(model, row, Math.min(runs, row.runs ?? Infinity)).catch(reportFailure);
  if (!result) return [];
  console.log(`  ratio ${result.ratio.toFixed(2)}`);
  return [{ model, ...result }];
}

/**
 * `qwen3-rerank bench` on one thread: the share of the kernels' own speed that prefill reaches.
 * @param {string} file
 * @param {import('./work.mjs').Options} options
 * @returns {{ file: string, kernel_share: number, prefill_tokens_per_second: number } | null}
 */
function measureOwn(file, { tokens, documents, runs }) {
  step(`kernels alone, ${file}`);
  const numbers = Object.entries({ tokens, documents, runs, threads: 1 }).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const printed = output(PROGRAM, ['bench', '--json', '--model', file, ...numbers]);
  if (printed === null) return reportFailure(new Failure(`bench failed on ${file}`));
  return { file, ...JSON.parse(printed) };
}

/**
 * Prints what failed; the other rows can still be measured.
 * @param {Error} error
 */
function reportFailure(error) {
  console.error(error instanceof Failure ? error.message : error);
  process.exitCode = 1;
  return null;
}

/** @param {string[] | undefined} only */
function checkGroups(only) {
  const groups = [...new Set(rows('', '', { tokens: 0, documents: 0 }).map(({ group }) => group))];
  const unknown = only?.filter((name) => !groups.includes(name)) ?? [];
  if (unknown.length > 0) throw new Failure(`--only ${unknown.join(',')}: the groups are ${groups.join(', ')}`);
}

/**
 * The bar, and whether a ratio reaches it; blank where there is none.
 * @param {number} ratio
 * @param {number | null} bar
 */
function judge(ratio, bar) {
  return bar === null ? ['', ''] : [bar.toFixed(2), ratio >= bar ? 'ok' : 'below'];
}

/** @param {number | null} bytes */
function mebibytes(bytes) {
  return bytes === null ? '?' : (bytes / 2 ** 20).toFixed(0);
}

/** @param {Awaited<ReturnType<typeof measure>>} report */
function print({ rows: results, own }) {
  const rate = (/** @type {{ name: string, median: number }} */ { name, median }) =>
    `${name} ${median >= 100 ? median.toFixed(0) : median.toPrecision(3)}`;
  const lines = [
    ['', 'this', 'the other', 'ratio', 'bar', '', 'runs', 'memory', 'margins differ'],
    ...results.map(({ model, name, unit, ours, peer, ratio, bar, runs, difference }) => [
      `${name}, ${unit} (${model.replace(/^.*\//, '')})`, rate(ours), rate(peer), ratio.toFixed(2),
      ...judge(ratio, bar), String(runs),
      `${mebibytes(ours.peak_bytes)} / ${mebibytes(peer.peak_bytes)} MiB`,
      difference === null ? '' : difference.toPrecision(2),
    ]),
  ];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  console.log();
  for (const line of lines) console.log(line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
  console.log('\nMedians; ratio = this / the other; margins: root mean square of the differences.');
  for (const { file, kernel_share: share, prefill_tokens_per_second: rate } of own) {
    console.log(`${file}, natively on one thread: ${rate.toFixed(0)} tokens/s, ${(100 * share).toFixed(0)} % of what its matrix products alone allow (bar ${100 * KERNEL_SHARE} %)`);
  }
}
