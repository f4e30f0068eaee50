/**
 * Whether what happens can be put on record, as far as anybody noticed. A database may read and commit well and have no room
 * for one entry more: so after an entry that could not be written, only an entry that could says that all is well again.
 */
import type { Audit } from "../audit/writer.ts";
import type { Store, WriteTerms } from "../store/store.ts";

const RECORD: WriteTerms = { shared: true, locks: [] };

export class Recording {
  readonly #store: Store;
  readonly #audit: Pick<Audit, "append">;
  #isDoubtful = false;

  constructor(store: Store, audit: Pick<Audit, "append">) {
    this.#store = store;
    this.#audit = audit;
  }

  /** An entry could not be written, or nobody heard that it was. */
  doubt(): void {
    this.#isDoubtful = true;
  }

  /** Rejects with what keeps entries from being written; where one could not be, this writes the next. */
  async probe(): Promise<void> {
    if (!this.#isDoubtful) return void (await this.#store.write((batch) => batch.all("select 1"), RECORD));
    await this.#store.write(async (batch) => {
      this.#audit.append(batch, { kind: "admin", actor: "gateway", action: "log.resumed" });
    }, RECORD);
    this.#isDoubtful = false;
  }
}
