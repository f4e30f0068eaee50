/**
 * Where a PostgreSQL is and how it is reached, from its URL. Strict: what is not understood is refused rather than left
 * out. Whoever is not on this machine is reached over TLS with a name that was checked, unless the URL says otherwise.
 */
const DEFAULT_PORT = 5432;
const NO_HOST = "no-host.invalid";
const MODES = ["disable", "require", "verify-ca", "verify-full"] as const;
type Mode = (typeof MODES)[number];
const PARAMETERS = new Set(["sslmode", "sslrootcert", "host"]);
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

export interface PostgresAddress {
  /** A name, an address, or the folder of a socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly tls: Mode;
  /** The file that holds whom to believe; undefined: the system's list. */
  readonly caFile: string | undefined;
}

export function isPostgresUrl(text: string): boolean {
  return /^postgres(?:ql)?:/i.test(text);
}

function decode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text);
    return decoded.includes("\0") ? undefined : decoded;
  } catch {
    return undefined;
  }
}

/** The address, or one sentence on what is wrong, which quotes nothing of it. */
export function readPostgresUrl(text: string): PostgresAddress | string {
  // An address with a user and without a host is none for the parser.
  const whole = text.replace(/^(postgres(?:ql)?:\/\/)([^/?#]*@)?(?=[/?])/i, `$1$2${NO_HOST}`);
  const url = /^postgres(?:ql)?:\/\//i.test(text) ? URL.parse(whole) : null;
  if (url === null) return "This must be `postgres://user:password@host:port/database`; other characters are percent-encoded.";
  const parameters = [...url.searchParams.keys()];
  if (parameters.some((key) => !PARAMETERS.has(key))) return "After `?` a PostgreSQL address has `sslmode`, `sslrootcert` and `host` only.";
  if (new Set(parameters).size !== parameters.length) return "A parameter of the PostgreSQL address is there twice.";
  if (url.hash !== "") return "A PostgreSQL address has no `#` part; in a password it is written `%23`.";
  const [user, password, database] = [decode(url.username), decode(url.password), decode(url.pathname.slice(1))];
  if (!user) return "A PostgreSQL address names its user: `postgres://user:password@host/database`.";
  if (!database || database.includes("/")) return "A PostgreSQL address names its database: `postgres://user:password@host/database`.";
  if (password === undefined) return "The password of a PostgreSQL address is percent-encoded.";
  const socket = url.searchParams.get("host") ?? undefined;
  const named = url.hostname === NO_HOST ? undefined : url.hostname;
  if (socket !== undefined && (!socket.startsWith("/") || named !== undefined)) {
    return "`host` after `?` is the folder of a socket, and stands where no other host does.";
  }
  const host = socket ?? named;
  if (host === undefined) return "A PostgreSQL address names its host, or the folder of its socket as `?host=/run/postgresql`.";
  const isHere = socket !== undefined || LOOPBACK.has(host.toLowerCase());
  const said = url.searchParams.get("sslmode") ?? (isHere ? "disable" : "verify-full");
  const tls = MODES.find((mode) => mode === said);
  if (tls === undefined) return "`sslmode` is `disable`, `require`, `verify-ca` or `verify-full`.";
  const caFile = url.searchParams.get("sslrootcert") ?? undefined;
  if (caFile !== undefined && (!caFile.startsWith("/") || tls === "disable" || tls === "require")) {
    return "`sslrootcert` is the absolute path of a file, and goes with `verify-ca` and `verify-full`.";
  }
  const port = url.port === "" ? DEFAULT_PORT : Number(url.port);
  const bare = host.startsWith("[") ? host.slice(1, -1) : host;
  return { host: bare, port, user, password: password === "" ? undefined : password, database, tls, caFile };
}

/** For people: where it is, not who comes with what. */
export function nameAddress({ host, port, database }: PostgresAddress): string {
  return host.startsWith("/") ? `${database} at ${host}` : `${database} at ${host.includes(":") ? `[${host}]` : host}:${port}`;
}
