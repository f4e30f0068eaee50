/** What all pages of the catalogue know: where they are reached, and the attacks that tools are linked with. */
import type { Attack } from "../../catalog/attacks/attack.ts";
import type { Site } from "./layout.ts";

export interface CatalogueSite extends Site {
  readonly attacks: readonly Attack[];
}
