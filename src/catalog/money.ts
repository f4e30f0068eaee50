/**
 * Words by which value moves. A noun of money alone says nothing about what is done with it; a verb that carries (`place`,
 * `send`, `create`) together with what can only be moved (`refund`, `payout`) does. Asking for money is not moving it.
 */
import type { Word } from "./fold-words.ts";

const list = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/));

/** Making one of these moves value. */
const MOVEMENTS =
  list(`payment payments refund refunds payout payouts charge charges withdrawal withdrawals purchase purchases donation donations
  remittance swap trade trades order orders deposit bid disbursement reimbursement prepayment tip airdrop`);
/** Value itself: a transfer of it, or sending it, is a payment. */
const VALUES =
  list(`money funds fund eth ether btc bitcoin sol sui usdc usdt dai bnb matic trx nft nfts erc20 erc721 erc1155 token tokens coin coins
  currency cash crypto cryptocurrency balance collateral liquidity margin wallet wei lamports satoshi sats amount lovelace near xrp ton hbar
  stablecoin payee beneficiary iban asset assets shares stock stocks value native position positions loan`);
/** Sending one of these is sending value on a chain. */
const CHAIN = list("transaction transactions tx rawtransaction");
const CARRIERS =
  list(`create place submit send make process initiate issue perform execute open broadcast capture add remove request post put transfer
  start settle approve authorize claim finalize complete collect bridge wrap unwrap supply`);
/** After a movement, these make it a paper about money. */
const PAPERS =
  list(`link links method methods intent request requests page form details detail status history header snippet template terms term
  summary report info information type types category categories schedule policy plan plans code codes list reminder confirmation receipt note
  notes book books line lines item items status tag tags id by number endpoint button object objects terminal gateway provider profile settings
  webhook token tokens url session account accounts customer customers draft drafts`);
/** Before `order`, these say that it is another one. */
const OTHER_ORDERS = list("work sort display tab merge reverse stack z sorting execution priority column draw in draft");
/** Doubles that mean money where value stands beside them. */
const TURNS = list(
  "transfer transfers withdraw withdraws deposit deposits swap swaps mint mints bridge bridges redeem redeems fund funds tip bid trade trades invest invests charge charges order orders wire wires claim claims supply burn wrap unwrap delegate",
);

export interface MoneyContext {
  /** Words of the name and of the first clause. */
  readonly words: readonly Word[];
  /** Words of the arguments' names. */
  readonly argumentWords: ReadonlySet<string>;
}

/** Whether a double verb means money: what it moves is named beside it, or among the arguments. */
export function turnsToMoney(verb: string, { words, argumentWords }: MoneyContext): boolean {
  if (!TURNS.has(verb)) return false;
  if (words.some(({ text }) => text !== verb && VALUES.has(text))) return true;
  if (verb === "charge" || verb === "order") return !words.some(({ text }) => PAPERS.has(text));
  return argumentWords.has("amount") || argumentWords.has("amounts") || argumentWords.has("currency");
}

/** The noun that a carrying verb moves: `create … refund`, `send … tokens`. Undefined where only a paper is made. */
export function findMovement(words: readonly Word[], verbAt: number): Word | undefined {
  const carrier = words[verbAt]?.text.replace(/s$/, "");
  if (carrier === undefined || !(CARRIERS.has(carrier) || CARRIERS.has(`${carrier}s`) || CARRIERS.has(words[verbAt]?.text ?? "")))
    return undefined;
  for (let at = verbAt + 1; at < Math.min(words.length, verbAt + MAX_REACH); at++) {
    const word = words[at] as Word;
    if (STOPS.has(word.text)) return undefined;
    if (word.text === "from" || word.text === "to" || word.text === "in" || word.text === "for" || word.text === "on") return undefined;
    if (PAPERS.has(words[at + 1]?.text ?? "") || words[at + 1]?.text === "link") {
      if (MOVEMENTS.has(word.text) || VALUES.has(word.text)) return undefined;
    }
    if (MOVEMENTS.has(word.text) && !(isOrder(word.text) && OTHER_ORDERS.has(words[at - 1]?.text ?? ""))) {
      if (isOrder(word.text) && (carrier === "add" || carrier === "remove" || carrier === "proces")) continue;
      if (carrier === "remove" || carrier === "approve" || carrier === "request" || carrier === "start") continue;
      return word;
    }
    const sends = carrier === "send" || carrier === "transfer" || carrier === "broadcast" || carrier === "submit";
    if (sends && (CHAIN.has(word.text) || MOVED.has(word.text))) return word;
    if ((carrier === "add" || carrier === "remove" || carrier === "supply") && POOLED.has(word.text)) return word;
    if ((carrier === "open" || carrier === "claim") && (word.text === "position" || word.text === "rewards")) return word;
  }
  return undefined;
}

const MAX_REACH = 7;
const STOPS = list(". ! ? ; : , ( )");
const MOVED = list("money funds eth ether btc bitcoin sol sui usdc usdt bnb tokens coins crypto cryptocurrency nft nfts satoshis sats");
const POOLED = list("liquidity collateral margin funds");

function isOrder(word: string): boolean {
  return word === "order" || word === "orders" || word === "trade" || word === "trades";
}
