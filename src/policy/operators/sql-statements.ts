/**
 * The kinds of the statements in a parsed text, by the first word of PostgreSQL's command tag: every statement at the
 * top and every one inside another (in `with`, in `explain`, in a sub-query …). A node that is not in the table has
 * no kind, and then the whole text has none.
 */

type Node = Readonly<Record<string, unknown>>;

const KINDS_BY_VERB: Readonly<Record<string, string>> = {
  alter: `AlterCollation AlterDatabase AlterDatabaseRefreshColl AlterDatabaseSet AlterDomain AlterEnum AlterEventTrig
    AlterExtensionContents AlterExtension AlterFdw AlterForeignServer AlterFunction AlterObjectDepends AlterObjectSchema AlterOpFamily
    AlterOperator AlterOwner AlterPolicy AlterPublication AlterRoleSet AlterRole AlterSeq AlterStats AlterSubscription AlterSystem
    AlterTSConfiguration AlterTSDictionary AlterTableMoveAll AlterTableSpaceOptions AlterTable AlterType AlterUserMapping Rename`,
  call: "Call",
  checkpoint: "CheckPoint",
  close: "ClosePortal",
  cluster: "Cluster",
  comment: "Comment",
  copy: "Copy",
  create: `CompositeType CreateAm CreateCast CreateConversion CreateDomain CreateEnum CreateEventTrig CreateExtension CreateFdw
    CreateForeignServer CreateForeignTable CreateFunction CreateOpClass CreateOpFamily CreatePLang CreatePolicy CreatePublication
    CreateRange CreateRole CreateSchema CreateSeq CreateStats Create CreateSubscription CreateTableAs CreateTableSpace CreateTransform
    CreateTrig CreateUserMapping Createdb Define Index Rule View`,
  deallocate: "Deallocate",
  declare: "DeclareCursor",
  delete: "Delete",
  discard: "Discard",
  do: "Do",
  drop: "DropOwned DropRole Drop DropSubscription DropTableSpace DropUserMapping Dropdb",
  execute: "Execute",
  explain: "Explain",
  import: "ImportForeignSchema",
  insert: "Insert",
  listen: "Listen",
  load: "Load",
  lock: "Lock",
  merge: "Merge",
  notify: "Notify",
  prepare: "Prepare",
  reassign: "ReassignOwned",
  refresh: "RefreshMatView",
  reindex: "Reindex",
  security: "SecLabel",
  select: "Return",
  set: "ConstraintsSet",
  show: "VariableShow",
  truncate: "Truncate",
  unlisten: "Unlisten",
  update: "Update",
};

/** Kinds that the table of nodes alone can't tell. */
const VERBS_BY_FIELD: Readonly<Record<string, (node: Node) => readonly (string | undefined)[]>> = {
  // What it grants or revokes stands inside it, without a node's name.
  AlterDefaultPrivilegesStmt: (node) => ["alter", verbOfGrant((node["action"] ?? {}) as Node)],
  FetchStmt: (node) => [node["ismove"] === true ? "move" : "fetch"],
  GrantStmt: (node) => [verbOfGrant(node)],
  GrantRoleStmt: (node) => [verbOfGrant(node)],
  SelectStmt: (node) => [createsTable(node) ? "create" : "select"],
  TransactionStmt: (node) => [TRANSACTION_VERBS[String(node["kind"])]],
  VacuumStmt: (node) => [node["is_vacuumcmd"] === true ? "vacuum" : "analyze"],
  VariableSetStmt: (node) => [String(node["kind"]).startsWith("VAR_RESET") ? "reset" : "set"],
};

const TRANSACTION_VERBS: Readonly<Record<string, string>> = {
  TRANS_STMT_BEGIN: "begin",
  TRANS_STMT_START: "start",
  TRANS_STMT_COMMIT: "commit",
  TRANS_STMT_ROLLBACK: "rollback",
  TRANS_STMT_SAVEPOINT: "savepoint",
  TRANS_STMT_RELEASE: "release",
  TRANS_STMT_ROLLBACK_TO: "rollback",
  TRANS_STMT_PREPARE: "prepare",
  TRANS_STMT_COMMIT_PREPARED: "commit",
  TRANS_STMT_ROLLBACK_PREPARED: "rollback",
};

const VERB_BY_KIND: ReadonlyMap<string, string> = new Map(
  Object.entries(KINDS_BY_VERB).flatMap(([verb, kinds]) => kinds.split(/\s+/).map((kind) => [`${kind}Stmt`, verb] as const)),
);

/** Every kind that a text can have, and so every word that a list may hold. */
export const SQL_VERBS: ReadonlySet<string> = new Set([
  ...Object.keys(KINDS_BY_VERB),
  ...Object.values(TRANSACTION_VERBS),
  "analyze",
  "fetch",
  "grant",
  "move",
  "reset",
  "revoke",
  "vacuum",
]);

/**
 * SQL Server needs no semicolon: where PostgreSQL reads one of these as a column's or table's new name
 * (`select 1 delete from t`), it reads a second statement.
 */
const DOUBTFUL_NAMES: ReadonlySet<string> = new Set(
  "alter checkpoint delete drop exec execute insert kill merge reconfigure shutdown truncate update".split(" "),
);

/** The kinds, one for each statement, an outer one before those inside; undefined where one is unknown or doubtful. */
export function listSqlVerbs(statements: readonly unknown[]): string[] | undefined {
  const verbs: string[] = [];
  const withoutKind = new Set<unknown>();
  const waiting: [key: string, value: unknown][] = [["", statements]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [key, value] = next;
    if (typeof value !== "object" || value === null) continue;
    if (/^[A-Z]/.test(key)) {
      const node = value as Node;
      if (isDoubtfulName(key, node)) return undefined;
      if (key === "InsertStmt") withoutKind.add(valuesOf(node) ?? null);
      if (key.endsWith("Stmt") && !withoutKind.has(node)) {
        for (const verb of verbsOf(key, node)) {
          if (verb === undefined) return undefined;
          verbs.push(verb);
        }
      }
    }
    for (const child of Object.entries(value).reverse()) waiting.push(child);
  }
  return verbs;
}

function verbsOf(kind: string, node: Node): readonly (string | undefined)[] {
  const read = Object.hasOwn(VERBS_BY_FIELD, kind) ? VERBS_BY_FIELD[kind] : undefined;
  return read === undefined ? [VERB_BY_KIND.get(kind)] : read(node);
}

function verbOfGrant(node: Node): string {
  return node["is_grant"] === true ? "grant" : "revoke";
}

/** The `values` of an insert, which is no statement of its own. */
function valuesOf(insert: Node): Node | undefined {
  const select = ((insert["selectStmt"] ?? {}) as Node)["SelectStmt"] as Node | undefined;
  return select?.["valuesLists"] === undefined ? undefined : select;
}

/** `select … into`, which in a union stands in one of its branches. */
function createsTable(select: Node): boolean {
  const branches: (Node | undefined)[] = [select];
  while (branches.length > 0) {
    const branch = branches.pop();
    if (branch === undefined) continue;
    if (branch["intoClause"] !== undefined) return true;
    branches.push(branch["larg"] as Node | undefined, branch["rarg"] as Node | undefined);
  }
  return false;
}

function isDoubtfulName(key: string, node: Node): boolean {
  if (key !== "ResTarget" && key !== "RangeVar" && key !== "Alias") return false;
  const alias = key === "RangeVar" ? ((node["alias"] ?? {}) as Node)["aliasname"] : (node["name"] ?? node["aliasname"]);
  return typeof alias === "string" && DOUBTFUL_NAMES.has(alias);
}
