/** What an argument lets its caller do, from its name, its format and what its schema says of it. */
import type { Field } from "./fields.ts";
import { isRecipient, type SendingTool } from "./recipients.ts";
import type { SignalName } from "./signals.ts";

const list = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/));

const SECRETS =
  list(`apikey apikeys apitoken accesstoken authtoken bearertoken refreshtoken idtoken secret secrets secretkey clientsecret password passwd
  passphrase pwd privatekey secretaccesskey accesskey accesskeyid credential credentials token pat sessiontoken authorization authheader mnemonic seedphrase
  signingkey encryptionkey webhooksecret oauthtoken connectionstring jwt cookie cookies pin otp mfacode sshkey servicekey accountkey apisecret`);
const SECRET_ENDS = list("password passphrase secret apikey privatekey accesstoken credential credentials connectionstring mnemonic");
/** A page's token is no credential; neither is a count of them. */
const NO_SECRETS =
  /(?:next|page|continuation|pagination|cursor|sync|max|min|num|total|token(?:address|id|symbol|name|contract|count|uri|type|amount|decimals|limit|in|out|a|b|0|1))/;
const PATHS = list(`path paths filepath filepaths file files filename filenames directory dir folder folderpath dirpath outputpath inputpath
  outputdir outputfile inputfile sourcepath destinationpath targetpath savepath localpath workingdir workingdirectory cwd rootpath projectpath
  repopath workspacepath configpath localfile rootdir basepath imagepath videopath audiopath pdfpath dbpath databasepath outfile downloadpath`);
const URLS =
  list(`url urls uri uris endpoint endpoints webhook webhookurl callbackurl redirecturl redirecturi baseurl host hostname targeturl imageurl
  videourl audiourl fileurl sourceurl siteurl pageurl link links href proxy proxyurl serverurl apiurl rpcurl rpcendpoint website websiteurl`);
const MARKUP = list("html htmlbody bodyhtml htmlcontent rawhtml template markup css svg jinja handlebars emailtemplate customhtml");
const AMOUNTS = list(
  "amount amounts totalamount price unitprice budget dailybudget cost total tip fee maxfee amountin amountout usdamount spendlimit charge value",
);
const MONEY_NEAR =
  /\b(?:usd|eur|gbp|cents?|dollars?|euros?|currency|money|price|pay(?:ment|out)?|charge|wei|ether|eth|btc|sats?|satoshis|lamports|token amount|amount of tokens)\b/;
const CODE =
  list(`code script scripts sql sqlquery sqlstatement statement statements cypher gremlin javascript js python pythoncode jscode expression expr command
  commands cmd commandline shellcommand shell bash powershell macro program snippet sourcecode plsql procedure mapfunction reducefunction lambda
  graphql mutation jq xpath pipeline`);
const QUERY_LANGUAGES =
  /\b(?:sql|soql|kql|kusto|promql|logql|traceql|jql|cql|aql|cypher|graphql|gremlin|sparql|spl|lucene|odata|jsonpath|jmespath|jsonlogic|mongodb|flux|dax|mdx|hql|nrql|esql|xpath)\b/;
const CONTEXTS =
  list(`systemprompt conversation conversationhistory chathistory fullconversation entireconversation chainofthought previousmessages
  priormessages messagehistory reasoningtrace`);
const FORCES = list(
  "force recursive cascade permanent permanently skipconfirmation noconfirm overwrite purge hard harddelete ignoreerrors bypass dangerous unsafe sudo allowdestructive",
);
const BULKS = list(
  "ids items records operations targets deleteall all selectall everything users messages emails files objects entries rows documents keys",
);

const isText = (field: Field): boolean => field.types.size === 0 || field.types.has("string") || field.types.has("array");

/** Signals that an argument fires, of a tool that sends or does not. */
export function listFieldSignals(field: Field, tool: SendingTool): readonly SignalName[] {
  const { joined, format, types } = field;
  const { said } = field;
  const signals: SignalName[] = [];
  const isFree = isText(field) && field.choices.length === 0;
  if (isSecret(field, said)) signals.push("handles_secrets");
  if (isFree && (CODE.has(joined) || (/quer(?:y|ies)$/.test(joined) && QUERY_LANGUAGES.test(said)))) {
    if (!isCodeOfPlaceOrStatus(field, said)) signals.push("freeform_code");
  }
  if (
    isFree &&
    (PATHS.has(joined) || endsIn(field, "path", "filepath", "directory", "dir", "filename") || joined.endsWith("filename")) &&
    !/json ?path|url path|path of the (?:url|endpoint)/.test(said)
  )
    signals.push("filesystem_path");
  if (isFree && (format === "uri" || format === "url" || URLS.has(joined) || endsIn(field, "url", "uri", "urls", "endpoint")))
    signals.push("arbitrary_url");
  if (isFree && (MARKUP.has(joined) || (joined === "content" && /\bhtml\b/.test(said)))) signals.push("raw_markup");
  if (isFree && isRecipient(field, said, tool)) signals.push("recipient_param");
  if (!types.has("boolean") && AMOUNTS.has(joined) && (/amount|price|budget|fee/.test(joined) || MONEY_NEAR.test(said)))
    signals.push("money_amount");
  if (CONTEXTS.has(joined)) signals.push("context_param");
  if (types.has("boolean") && FORCES.has(joined)) signals.push("force_flag");
  if (types.has("array") && !field.hasMaxItems && (BULKS.has(joined) || endsIn(field, "ids")) && field.steps.length === 1)
    signals.push("bulk_scope");
  return signals;
}

function isSecret(field: Field, said: string): boolean {
  const { joined, types } = field;
  if (types.has("boolean") || types.has("integer") || types.has("number")) return false;
  if (field.format === "password" || field.isWriteOnly) return true;
  if (joined === "token") return !/\b(?:page|pagination|next|continuation|erc-?20|contract|symbol|crypto|coin|mint|swap)\b/.test(said);
  if (NO_SECRETS.test(joined) && !/secret|password|apikey/.test(joined)) return false;
  if (SECRETS.has(joined)) return joined !== "pin" || /\bcode\b|number/.test(said);
  const tail = field.words.slice(-2).map(({ text }) => text);
  return SECRET_ENDS.has(tail.join("")) || SECRET_ENDS.has(tail.at(-1) ?? "");
}

function endsIn({ words }: Field, ...ends: readonly string[]): boolean {
  return words.length > 1 && ends.includes(words.at(-1)?.text ?? "");
}

/** `code` is as often a country's or an error's. */
function isCodeOfPlaceOrStatus({ joined }: Field, said: string): boolean {
  if (joined === "code")
    return !/\b(?:source|python|javascript|typescript|java|execut\w*|run|snippet|script|program|function|component|block of code|code to)\b/.test(
      said,
    );
  if (joined === "statement" || joined === "statements") return !/\b(?:sql|statement to|execut\w*|run)\b/.test(said) && said !== "";
  return false;
}
