/**
 * `npm run test:mutants`: breaks the crate on purpose, one line at a time, and shows which test notices.
 *
 * A mutant is an entry of `tests/mutants/*.json`: a file, a text that stands in it exactly once, what takes its place,
 * and the tests that should fail. Each is tried on a copy of the tree; the table goes to `docs/mutants.md`, with what
 * came of the last try of each. Outside of CI, since every mutant is a build.
 *
 *     npm run test:mutants                  all of them
 *     npm run test:mutants -- rope-base …   those named
 *     npm run test:mutants -- --check       only whether each still fits the source (part of lint)
 *     npm run test:mutants -- --table       only the table, of what was tried before
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COPY, copyTree, failures } from './mutant-tests.mjs';
import { Failure, ROOT, script, step } from './run.mjs';

/**
 * @typedef {object} Mutant
 * @property {string} name
 * @property {string} breaks what the change breaks, for the table
 * @property {string} file
 * @property {string} find stands in the file exactly once
 * @property {string} replace takes its place
 * @property {string} run which tests should fail, as `failures` of mutant-tests.mjs takes them
 */

/** @typedef {Mutant & { caught: string[], seconds: number, fault?: string }} Tried */

const MUTANTS = join(ROOT, 'tests/mutants');
const TABLE = join(ROOT, 'docs/mutants.md');
/** What came of each mutant when it was last tried, by name: the table may be of several runs. */
const RESULTS = join(ROOT, 'target/mutants/results.json');

/** @returns {Mutant[]} */
function readMutants() {
  const files = readdirSync(MUTANTS).filter((name) => name.endsWith('.json')).sort();
  return files.flatMap((name) => JSON.parse(readFileSync(join(MUTANTS, name), 'utf8')));
}

/**
 * The file with the mutant's change.
 * @param {Mutant} mutant
 * @param {string} tree
 */
function mutated({ name, file, find, replace }, tree) {
  const path = join(tree, file);
  if (!existsSync(path)) throw new Failure(`${name}: there is no ${file}; the mutant must follow the code`);
  const parts = readFileSync(path, 'utf8').split(find);
  if (parts.length !== 2) throw new Failure(`${name}: its text stands ${parts.length - 1} times in ${file}; must be once:\n${find}`);
  return parts.join(replace);
}

/**
 * Fails, naming all of them, if mutants do not fit the source.
 * @param {Mutant[]} mutants
 */
function checkAll(mutants) {
  const faults = mutants.flatMap((mutant) => {
    try {
      mutated(mutant, ROOT);
      return [];
    } catch (thrown) {
      return [messageOf(thrown)];
    }
  });
  if (faults.length > 0) throw new Failure(faults.join('\n'));
}

/** @param {unknown} thrown */
const messageOf = (thrown) => (thrown instanceof Error ? thrown.message : String(thrown));

/**
 * Tries a mutant and puts the file back.
 * @param {Mutant} mutant
 * @returns {Tried}
 */
function tryMutant(mutant) {
  const [start, path] = [Date.now(), join(COPY, mutant.file)];
  const original = readFileSync(path);
  try {
    writeFileSync(path, mutated(mutant, COPY));
    return { ...mutant, caught: failures(mutant.run), seconds: Math.round((Date.now() - start) / 1000) };
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return { ...mutant, caught: [], seconds: 0, fault: thrown.message };
  } finally {
    writeFileSync(path, original);
  }
}

/**
 * The first of some names, and how many more.
 * @param {string[]} names
 */
function some(names) {
  const more = names.length > 2 ? `, and ${names.length - 2} more` : '';
  return names.slice(0, 2).map((name) => `\`${name}\``).join(', ') + more;
}

/**
 * Writes the table of all mutants.
 * @param {Mutant[]} mutants
 * @param {Record<string, Tried>} results
 */
function writeTable(mutants, results) {
  const tried = mutants.map((mutant) => {
    const last = results[mutant.name];
    // Of a mutant that has changed since, nothing is known.
    const same = last && last.file === mutant.file && last.find === mutant.find && last.replace === mutant.replace;
    return { ...mutant, caught: same ? last.caught : undefined };
  });
  const fate = (/** @type {string[] | undefined} */ caught) => (caught ? some(caught) || '**nothing**' : 'not tried since it changed');
  const rows = tried.map(({ name, breaks, file, caught }) => `| ${name} | ${breaks} | \`${file}\` | ${fate(caught)} |`);
  const [known, caught] = [tried.filter(({ caught }) => caught), tried.filter(({ caught }) => caught?.length)];
  writeFileSync(TABLE, `# Mutants

The crate is broken on purpose, one line at a time, to see that a test notices. \`npm run test:mutants\` writes this
table; the mutants are in \`tests/mutants\`, and \`npm run lint\` checks that each still fits the source. Where nothing
catches a mutant, a test is missing.

${mutants.length} mutants, ${known.length} tried, ${caught.length} caught.

| mutant | what it breaks | file | caught by |
|---|---|---|---|
${rows.join('\n')}
`);
}

await script(async () => {
  const mutants = readMutants();
  const names = process.argv.slice(2).filter((word) => !word.startsWith('--'));
  const unknown = names.find((name) => !mutants.some((mutant) => mutant.name === name));
  if (unknown) throw new Failure(`there is no mutant ${unknown}; there are ${mutants.map(({ name }) => name).join(', ')}`);
  checkAll(mutants);
  if (process.argv.includes('--check')) return console.log(`${mutants.length} mutants fit the source`);
  /** @type {Record<string, Tried>} */
  const results = existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, 'utf8')) : {};
  if (process.argv.includes('--table')) return writeTable(mutants, results);
  const chosen = names.length > 0 ? mutants.filter(({ name }) => names.includes(name)) : mutants;
  copyTree();
  step('running the tests of the mutants on the source as it is');
  for (const target of new Set(chosen.map(({ run }) => run))) {
    const failed = failures(target);
    if (failed.length > 0) throw new Failure(`${target}: ${failed.join(', ')} fail without any mutant`);
  }
  for (const mutant of chosen) {
    const result = tryMutant(mutant);
    results[mutant.name] = result;
    writeFileSync(RESULTS, JSON.stringify(results, null, 1));
    console.log(`${result.name} (${result.seconds} s): ${some(result.caught) || result.fault || 'SURVIVED'}`);
  }
  writeTable(mutants, results);
  const survived = chosen.map(({ name }) => name).filter((name) => results[name]?.caught.length === 0);
  if (survived.length > 0) throw new Failure(`no test notices: ${survived.join(', ')}`);
});
