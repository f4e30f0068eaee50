/**
 * Words by which value moves. A noun of money alone says nothing about what is done with it; a verb that carries (`place`,
 * `send`, `create`) together with what can only be moved (`refund`, `payout`) does. Asking for money is not moving it.
 */
import type { Word } from "./fold-words.ts";

const list = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/));

/** Making one of these moves value. */
const MOVEMENTS =
  list(`payment payments refund refunds payout payouts charge charges withdrawal withdrawals purchase purchases donation donations
  remittance swap trade trades order orders deposit bid bet bets disbursement reimbursement prepayment tip airdrop`);
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
/** Verbs that mean money where value stands beside them. */
const TURNS = list(
  "bid bridge burn charge claim delegate deposit fund invest mint order redeem supply swap tip trade transfer unwrap wire withdraw wrap",
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

/** Carriers that only prepare a movement, or take its record away. */
const PREPARING = list("approve remove request start");
/** Carriers that move the thing itself. */
const SENDING = list("broadcast send submit transfer");
const MOVED = list("money funds eth ether btc bitcoin sol sui usdc usdt bnb tokens coins crypto cryptocurrency nft nfts satoshis sats");
/** What is put in and taken out where value is pooled. */
const POOLED = list("liquidity collateral margin funds");
const HOLDINGS = list("position rewards");
/** Behind these stands something else than what is moved. */
const ENDS = list(". ! ? ; : , ( ) from to in for on");
const ORDERS = list("order orders trade trades");
const MAX_REACH = 7;

/** The noun that a carrying verb moves: `create … refund`, `send … tokens`. Undefined where only a paper is made. */
export function findMovement(words: readonly Word[], at: number, carrier: string): Word | undefined {
  if (!CARRIERS.has(carrier)) return undefined;
  for (let next = at + 1; next < Math.min(words.length, at + MAX_REACH); next++) {
    const word = words[next] as Word;
    if (ENDS.has(word.text)) return undefined;
    if (PAPERS.has(words[next + 1]?.text ?? "") && (MOVEMENTS.has(word.text) || VALUES.has(word.text))) return undefined;
    if (moves(carrier, word.text, words[next - 1]?.text ?? "")) return word;
  }
  return undefined;
}

/** "Initiates a transfer of funds": the verb stands as a noun. */
export function carriesTransfer(words: readonly Word[], at: number, carrier: string, money: MoneyContext): boolean {
  if (!CARRIERS.has(carrier)) return false;
  const isNear = words.slice(at + 1, at + MAX_REACH).some(({ text }) => text === "transfer" || text === "transfers");
  return isNear && turnsToMoney("transfer", money);
}

function moves(carrier: string, noun: string, before: string): boolean {
  if (MOVEMENTS.has(noun) && !PREPARING.has(carrier)) {
    // Orders are also what is sorted, what is worked off, and what goods are added to.
    if (!ORDERS.has(noun)) return true;
    if (!OTHER_ORDERS.has(before) && carrier !== "add" && carrier !== "process") return true;
  }
  if (SENDING.has(carrier) && (CHAIN.has(noun) || MOVED.has(noun))) return true;
  if ((carrier === "add" || carrier === "remove" || carrier === "supply") && POOLED.has(noun)) return true;
  if ((carrier === "process" || carrier === "complete") && noun === "checkout") return true;
  return (carrier === "open" || carrier === "claim") && HOLDINGS.has(noun);
}
