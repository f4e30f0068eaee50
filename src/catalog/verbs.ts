/**
 * The vocabulary of doing: verbs by what they do to the world. A *sure* verb is one wherever it stands where a verb can
 * stand; a *double* is as often a noun (`order`, `report`, `log`) and counts by position. Words only: no tool, server or
 * product is named here.
 */
import type { ToolClass } from "../policy/decision.ts";

export interface Verb {
  readonly word: string;
  readonly act: ToolClass;
  /** A noun as often as not. */
  readonly isDouble: boolean;
  /** It makes a work of its own rather than changing what is there. */
  readonly isMaking: boolean;
}

const SURE: Readonly<Record<ToolClass, string>> = {
  read: `aggregate analyse analyze assess average await beautify browse calculate cat ceil classify collect compare consult convert
    correlate count crawl decode decompile decrypt deobfuscate derive describe detect determine diagnose diff differentiate
    disassemble discover display divide download echo encode encrypt enumerate estimate examine explain explore export extract
    factor fetch filter find floor gather geocode get grep head identify infer inspect integrate interpret introspect investigate
    know learn lint list lookup ls match median minify modulo multiply negate obtain paginate paraphrase parse peek ping poll
    predict prettify print read recognise recognize recommend rephrase respond retrieve return round scrape search show simplify
    slugify solve sort study subtract suggest sum summarise summarize tokenize transcribe translate traverse understand validate
    verify view visit wait whoami`,
  write: `accept acknowledge activate add adjust allocate amend anonymize append apply approve archive assign attach authenticate
    authorise authorize ban bind block bookmark broadcast change cherry choose claim click clone combine commit complete compose
    compress concatenate configure confirm connect copy create crop customize deactivate deallocate decline decrease demote
    deprecate dequeue detach disable disconnect dismiss dispatch downgrade downvote draft drag draw duplicate edit embed emit
    enable enhance enqueue enrich ensure escalate establish expose extend fill finish fix follow fork forward freeze generate
    grant hide hover impersonate import improve increase ingest init initialize initiate insert install invite join kick leave
    login logout make manage mask memorize merge migrate modify move mute navigate notify offboard onboard optimise optimize
    override overwrite pause pick populate postback postpone prepare prepend press promote provision publish pull push put react
    rebase rebuild redact redo reduce refactor register reject remember rename render reopen repair replace reply reschedule
    reserve resize restore resume retire revert rewrite rollback rotate save say scaffold scale schedule scroll seed select send
    set setup share shift shorten snooze speak split stage star stash submit subscribe suspend swipe sync synchronize synthesize
    tap toggle transform transition trash tune unarchive unassign unban unbind unblock undo unfollow unfreeze unhide unlike
    unlink unlock unmute unpin unpublish unregister unstage unstar unsubscribe update upgrade upload upsert upvote vote write`,
  execute: `compile crash deploy eval exec execute hibernate inject interrupt invoke launch poweroff reboot redeploy relaunch rerun
    restart run shutdown spawn start stop trigger undeploy`,
  financial: `borrow buy disburse donate lend liquidate pay payout prepay purchase refund reimburse remit repay repurchase restake sell
    stake unstake`,
  destructive: `abort cancel cleanup clear decommission del delete deprovision deregister destroy discard dispose drop eliminate empty erase
    evict expunge flush forget invalidate kill nuke obliterate prune purge remove rescind reset revoke rm rmdir shred terminate
    truncate uninstall unprovision unset void wipe`,
};

const DOUBLE: Readonly<Record<ToolClass, string>> = {
  read: `access answer ask audit breakdown capture check compute dump evaluate expand forecast format glob guess hash help look map
    measure monitor observe plan preview probe profile provide query rank rate reason report research reverse review sample scan
    score screenshot see simulate snapshot stat tail think trace track watch`,
  write: `back bid book bridge build charge chart checkout close comment delegate deposit design email fit focus fund go host index
    interact invest label light like link load lock log mark mention message mint note open order pass patch pin place play plot
    post present process queue record redeem refresh request resolve respond settle skip spin store swap switch tag tip trade
    transfer trim type wire withdraw`,
  execute: `benchmark boot bootstrap call command debug fire operate script test`,
  financial: "",
  destructive: `clean exclude expire ignore`,
};

const MAKING: ReadonlySet<string> = new Set(
  "generate make build produce synthesize compose render draw draft plot chart create optimize optimise improve enhance transform".split(
    " ",
  ),
);

const VERBS: ReadonlyMap<string, Verb> = collect();

function collect(): Map<string, Verb> {
  const verbs = new Map<string, Verb>();
  for (const [table, isDouble] of [
    [DOUBLE, true],
    [SURE, false],
  ] as const) {
    for (const [act, words] of Object.entries(table) as [ToolClass, string][]) {
      for (const word of words.split(/\s+/)) {
        if (word !== "" && !verbs.has(word)) verbs.set(word, { word, act, isDouble, isMaking: MAKING.has(word) });
      }
    }
  }
  return verbs;
}

export type Form = "base" | "third" | "ing";

export interface FoundVerb {
  readonly verb: Verb;
  readonly form: Form;
}

/** The verb that a word is, in the forms that a name or a first clause uses. Participles (`deleted`) are adjectives there. */
export function findVerb(word: string): FoundVerb | undefined {
  const exact = VERBS.get(word);
  if (exact) return { verb: exact, form: "base" };
  for (const [form, stems] of listStems(word)) {
    for (const stem of stems) {
      const verb = VERBS.get(stem);
      if (verb) return { verb, form };
    }
  }
  return undefined;
}

function listStems(word: string): readonly (readonly [Form, readonly string[]])[] {
  if (word.length < 4) return [];
  if (word.endsWith("ies")) return [["third", [`${word.slice(0, -3)}y`]]];
  if (word.endsWith("es")) return [["third", [word.slice(0, -1), word.slice(0, -2)]]];
  if (word.endsWith("s") && !word.endsWith("ss")) return [["third", [word.slice(0, -1)]]];
  if (!word.endsWith("ing")) return [];
  const stem = word.slice(0, -3);
  const isDoubled = stem.length > 2 && stem.at(-1) === stem.at(-2);
  return [["ing", [stem, `${stem}e`, ...(isDoubled ? [stem.slice(0, -1)] : [])]]];
}

/** First words of descriptions in other languages, by what they begin with. */
const ABROAD: readonly (readonly [ToolClass, RegExp])[] = [
  [
    "destructive",
    /^(?:删除|刪除|移除|清空|清除|取消|撤销|卸载|重置|削除|삭제|제거)|^(?:elimina|borra|suprim|supprim|losch|entfern|cancella|rimuov|exclu[ia]|apaga|удал)/,
  ],
  ["financial", /^(?:支付|转账|退款|付款|购买|買い)|^(?:paga[rn]?\b|pagare|payer|bezahl|uberweis|rembours|reembols)/],
  ["execute", /^(?:执行|執行|运行|啟動|启动|停止|重启|触发|実行|실행)|^(?:ejecut|execut[ae]r|ausfuhr|fuhrt?\b|esegu|выполн|запус)/],
  [
    "write",
    /^(?:创建|建立|新建|添加|增加|更新|修改|设置|設定|发送|写入|上传|保存|生成|编辑|发布|导入|作成|追加|送信|생성|추가|수정)|^(?:crea[rt]?\b|creer|cree\b|erstell|aggiung|agreg|anad|adicion|actuali|atuali|aggiorn|modific|envi[ae]|send[et]|guard|salva|созда|добав|измен|отправ)/,
  ],
  [
    "read",
    /^(?:获取|查询|查詢|列出|搜索|查看|读取|检索|查找|返回|显示|获得|计算|分析|验证|检查|解析|取得|検索|表示|一覧|조회|검색)|^(?:obten|obtien|list[ae]r?\b|busca|recuper|recher|affich|consult|mostra|muestra|hol[te]?\b|zeig|such[et]|ottien|cerca|получ|поиск|показ|спис|getir|listele)/,
  ],
];

export function findForeignAct(word: string): ToolClass | undefined {
  return ABROAD.find(([, pattern]) => pattern.test(word))?.[0];
}
