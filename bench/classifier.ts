/**
 * `npm run bench:classifier`: how right the classifier is, against the labels that lie beside the checkout and the 300 of
 * our own. `--json` for machines, `--wrong` names what is wrong in the tuning half and among the vendors' labels.
 */
import {
  DATA_FOLDER,
  hasData,
  indexCorpus,
  measureHand,
  measureLabelled,
  readCorpus,
  readDisputed,
  readHandLabels,
  readLabelled,
} from "./classifier/measure.ts";

if (!hasData()) {
  process.stderr.write(`There are no labels in ${DATA_FOLDER}: nothing was measured.\n`);
  process.exit(1);
}
const corpus = indexCorpus(readCorpus());
const labels = readHandLabels();
const hand = {
  all: measureHand(labels, corpus),
  tuning: measureHand(
    labels.filter(({ half }) => half === "tuning"),
    corpus,
  ),
  "held-out": measureHand(
    labels.filter(({ half }) => half === "held-out"),
    corpus,
  ),
};
const vendors = { all: measureLabelled(readLabelled()), "without disputed labels": measureLabelled(readLabelled(), readDisputed()) };

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;
if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify({ vendors, hand })}\n`);
else {
  process.stdout.write("| vendors' labels | changing tools | called Read | reading tools | called otherwise |\n|---|--:|--:|--:|--:|\n");
  for (const [name, { changing, unsafe, reading, strict }] of Object.entries(vendors)) {
    process.stdout.write(
      `| ${name} | ${changing} | ${unsafe.length} (${percent(unsafe.length, changing)}) | ${reading} | ${strict.length} (${percent(strict.length, reading)}) |\n`,
    );
  }
  process.stdout.write(
    "\n| hand set | tools | macro-F1 | read | write | execute | financial | destructive | changing called Read | Read called otherwise |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
  );
  for (const [name, { size, macroF1, classes, unsafe, strict }] of Object.entries(hand)) {
    const f1 = classes.map((one) => one.f1.toFixed(3)).join(" | ");
    process.stdout.write(`| ${name} | ${size} | ${macroF1.toFixed(3)} | ${f1} | ${unsafe.length} | ${strict.length} |\n`);
  }
  if (process.argv.includes("--wrong")) {
    for (const line of hand.tuning.wrong) process.stdout.write(`tuning: ${line}\n`);
    for (const line of vendors.all.unsafe) process.stdout.write(`called Read: ${line}\n`);
    for (const line of vendors.all.strict) process.stdout.write(`called otherwise: ${line}\n`);
  }
}
