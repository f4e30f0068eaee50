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
  read: `get list search find fetch read retrieve describe show lookup inspect explore browse analyze analyse compare calculate convert validate
    verify detect identify determine summarize summarise translate parse extract explain suggest recommend estimate predict classify filter sort
    discover lint diff ping decode encode encrypt decrypt tokenize match return display print peek grep enumerate introspect traverse visit
    count examine diagnose crawl scrape poll await wait investigate interpret infer recognize recognise transcribe learn know obtain gather collect
    view download export solve simplify factor differentiate integrate derive assess study consult understand respond
    aggregate correlate paginate decompile disassemble deobfuscate minify prettify beautify slugify paraphrase geocode ls cat head whoami echo subtract multiply divide negate sum round floor ceil modulo average median`,
  write: `create add set update edit modify write save upload insert append change rename move copy duplicate clone replace send publish share import
    assign unassign configure enable disable register unregister schedule generate make synthesize compose submit complete finish approve reject accept
    decline reply forward invite attach detach unlink star unstar follow unfollow unlike react vote upvote downvote unpin unlock commit push pull
    sync synchronize bookmark ingest migrate resize crop rotate grant promote demote reopen dismiss escalate transition notify
    reserve provision scaffold init initialize setup fork subscribe unsubscribe join leave connect disconnect login logout authenticate authorize
    authorise navigate click hover drag  scroll fill press swipe tap upsert manage archive unarchive restore trash undo redo revert
    rollback acknowledge snooze mute unmute block unblock freeze unfreeze adjust increase decrease resume suspend activate deactivate pause
    install upgrade downgrade rebuild optimize optimise refactor improve rewrite enhance fix repair apply hide unhide
    render draw  embed  ensure toggle shift extend shorten reduce scale customize select choose pick
    deactivate onboard offboard ban unban kick redact anonymize mask merge split combine concatenate compress  
    deprecate retire  bind unbind allocate deallocate claim  reschedule postpone confirm postback remember memorize
      speak say  expose tune enrich populate seed prepare stage unstage stash rebase cherry amend impersonate
    establish initiate transform append prepend enqueue dequeue  broadcast emit dispatch draft unpublish override overwrite put`,
  execute: `run execute exec invoke trigger launch restart reboot shutdown spawn rerun relaunch poweroff hibernate eval deploy redeploy undeploy
    crash inject interrupt compile start stop`,
  financial: `pay refund buy purchase sell stake unstake borrow lend repay donate remit reimburse disburse liquidate prepay repurchase
    restake payout`,
  destructive: `delete remove destroy purge erase wipe truncate revoke uninstall terminate kill cancel clear reset flush drop rm del rmdir
    deprovision decommission evict prune discard unprovision nuke shred obliterate expunge cleanup unset invalidate eliminate abort
    deregister  rescind forget void empty dispose`,
};

const DOUBLE: Readonly<Record<ToolClass, string>> = {
  read: `check test query watch monitor track measure profile trace audit review answer help report forecast preview scan score rank format hash
    look stat sample screenshot capture snapshot evaluate compute simulate reverse map expand debug observe probe benchmark
    breakdown guess reason think rate plan tail provide access see ask dump glob `,
  write: `store delegate load open type resolve mark build design interact post tag label comment email message log record lock pin like mark link close index book note  refresh process transfer
    request respond present focus go back pass patch plot chart place spin trim fit light play skip queue mention  host
    switch checkout swap deposit withdraw mint bridge redeem fund tip bid trade order charge wire invest  settle `,
  execute: `call command script fire bootstrap boot   operate`,
  financial: ``,
  destructive: `clean ignore exclude expire`,
};

const MAKING: ReadonlySet<string> = new Set(
  "generate make build produce synthesize compose render draw draft plot chart create produce optimize optimise improve enhance transform".split(
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
