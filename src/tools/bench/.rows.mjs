import { compare } from './compare.mjs';
import { rows, ensurePeers } from './rows.mjs';
const [type, groups, runs] = process.argv.slice(2);
await ensurePeers();
const file = `target/bench/0.6b-${type}.gguf`;
for (const row of rows(file, type, { tokens: 128, documents: 10 }).filter((r, i) => groups.split(',').includes(r.group) || groups.split(',').includes(String(i)))) {
  console.log(row.group, row.name, row.ours.name, row.peer.name);
  try { console.log(JSON.stringify(await compare(file, row, Number(runs)), null, 1)); } catch (e) { console.log('FAILED', e); }
}
