/** The native program's margins on the untrained model, as tests/fixtures/untrained.mjs recorded them. */
import { readFileSync } from 'node:fs';
import { ROOT } from './program.mjs';

/** @type {{ query: string, documents: string[], margins: number[] }[]} */
export const CASES = JSON.parse(readFileSync(new URL('tests/fixtures/untrained.json', ROOT), 'utf8'));

/**
 * The margin of a score, which is a f32. A score is the f64 probability of that margin: its log-odds
 * differ from the margin by far less than half the distance between two f32, so that rounding restores it.
 * @param {number} score
 */
export const marginOf = (score) => Math.fround(Math.log(score / (1 - score)));
