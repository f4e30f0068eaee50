/**
 * Which catalogue is shown: the one that was built into the data folder, else the one that ships, which is made into a file
 * of the data folder when it is first asked for and again when what it was made from is another.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { type Catalogue, openCatalogue } from "./catalog/store/read-catalogue.ts";
import { readSource } from "./catalog/store/read-source.ts";
import { CATALOGUE_FORMAT } from "./catalog/store/tables.ts";
import { buildCatalogue } from "./catalog/store/write-catalogue.ts";
import { CLASSIFIER_VERSION } from "./catalog/verdict.ts";
import { FailureError } from "./kernel/failure.ts";
import { readFileMark } from "./store/built-file.ts";
import { VERSION } from "./version.ts";

export const CATALOGUE_FILE = "catalogue.db";
export const SHIPPED_FILE = "catalogue-shipped.db";

const root = (name: string): string => path.resolve(import.meta.dirname, "..", name);
export const SHIPPED_LIST: string = root("catalogue/servers.jsonl");
export const ATTACK_FOLDER: string = root("attacks");

export interface CataloguePlace {
  /** A file that was named; left out: the data folder's own, else the one that ships. */
  readonly file?: string | undefined;
  readonly dataDir: string;
}

/** Keeps one open, and another one as soon as another file stands in its place. */
export class OpenedCatalogue {
  readonly #place: CataloguePlace;
  #opened: { readonly file: string; readonly mark: string | undefined; readonly catalogue: Catalogue } | undefined;

  constructor(place: CataloguePlace) {
    this.#place = place;
  }

  async read(): Promise<Catalogue> {
    const own = this.#place.file ?? path.join(this.#place.dataDir, CATALOGUE_FILE);
    const ownMark = readFileMark(own);
    if (ownMark !== undefined || this.#place.file !== undefined) return this.#open(own, ownMark);
    const shipped = path.join(this.#place.dataDir, SHIPPED_FILE);
    if (this.#opened?.file !== shipped) await makeShipped(shipped);
    return this.#open(shipped, readFileMark(shipped));
  }

  #open(file: string, mark: string | undefined): Catalogue {
    if (mark === undefined) throw new FailureError({ code: "not_found", message: "There is no such catalogue.", at: { file } });
    if (this.#opened?.file === file && this.#opened.mark === mark) return this.#opened.catalogue;
    const catalogue = openCatalogue(file);
    this.#opened?.catalogue.close();
    this.#opened = { file, mark, catalogue };
    return catalogue;
  }

  close(): void {
    this.#opened?.catalogue.close();
    this.#opened = undefined;
  }
}

async function makeShipped(file: string): Promise<void> {
  const list = await readFile(SHIPPED_LIST);
  const mark = createHash("sha256").update(`${VERSION} ${CATALOGUE_FORMAT} ${CLASSIFIER_VERSION} `).update(list).digest("hex");
  if (isMadeFrom(file, mark)) return;
  await buildCatalogue({ file, sources: readSource(SHIPPED_LIST), at: new Date().toISOString(), mark });
}

function isMadeFrom(file: string, mark: string): boolean {
  if (readFileMark(file) === undefined) return false;
  try {
    const catalogue = openCatalogue(file);
    const isFresh = catalogue.mark === mark;
    catalogue.close();
    return isFresh;
  } catch {
    return false;
  }
}
