/**
 * The description of the configuration file: every key, what it means, what it may hold. Errors at the start and the
 * JSON Schema for editors both come from here. How keys refer to each other is judged in `check-references.ts`.
 */
import { TOOL_CLASSES } from "../policy/decision.ts";
import { LOGIN_SHAPE } from "./login-shape.ts";
import type { ObjectShape, TextShape } from "./shape.ts";
import {
  checkCidr,
  checkEmail,
  checkHeaderName,
  checkHeaderValue,
  checkHost,
  checkIssuerUrl,
  checkLimitsUrl,
  checkListenHost,
  checkMetaKey,
  checkName,
  checkPath,
  checkPlainText,
  checkProcessText,
  checkPublicUrl,
  checkRetention,
  checkStoreUrl,
  checkTimestamp,
  checkToken,
  checkUpstreamUrl,
  checkVariableName,
  checkVisible,
  NAME_PATTERN,
} from "./text-checks.ts";

export const MAX_SERVERS = 1000;
export const MAX_POLICIES = 10_000;
/** One file; grants made by command or over the API are not bounded by it. */
export const MAX_FILE_GRANTS = 50_000;
const MAX_LIST = 1000;
const MAX_TAGS = 64;
/** Answers are searched for what they hold. */
const MAX_VARIABLES = 32;

const name = (description: string): TextShape => ({ kind: "text", description, pattern: NAME_PATTERN, check: checkName });
const plain = (description: string): TextShape => ({ kind: "text", description, check: checkPlainText });
const path = (description: string): TextShape => ({ kind: "text", description, check: checkPath });

const listen: ObjectShape = {
  kind: "object",
  description: "Where the gateway listens.",
  keys: {
    host: { kind: "text", description: "The address to bind; left out: 127.0.0.1.", check: checkListenHost },
    port: { kind: "integer", description: "The port; left out: 8420. 0 takes a free one.", min: 0, max: 65_535 },
    publicUrl: { kind: "text", description: "The address that clients and people use, behind a proxy.", check: checkPublicUrl },
    allowedHosts: {
      kind: "list",
      description: "Names that the Host header may carry, besides the loopback ones and that of `publicUrl`.",
      items: { kind: "text", description: "A host, with its port where one counts.", check: checkHost },
      max: MAX_LIST,
    },
  },
};

const oauth: ObjectShape = {
  kind: "object",
  description: "How the gateway signs in to a server.",
  keys: {
    clientId: { kind: "text", description: "The gateway's name there; left out: it registers itself.", check: checkVisible },
    clientSecret: { kind: "text", description: "The secret that goes with `clientId`, at `issuer` and nowhere else.", check: checkVisible },
    scopes: {
      kind: "list",
      description: "The scopes to ask for; left out: what the server names.",
      items: { kind: "text", description: "A scope.", check: checkVisible },
      max: MAX_TAGS,
    },
    issuer: { kind: "text", description: "The authorization server; left out: the one that the server names.", check: checkIssuerUrl },
  },
};

const server: ObjectShape = {
  kind: "object",
  description: "One upstream MCP server.",
  required: ["upstream"],
  keys: {
    upstream: {
      kind: "object",
      description: "How the server is reached: an address, or a command to start.",
      oneOf: { url: ["headers", "oauth"], command: ["args", "env", "cwd", "process"] },
      keys: {
        url: { kind: "text", description: "The address of its Streamable HTTP endpoint.", check: checkUpstreamUrl },
        headers: {
          kind: "map",
          description: "Headers sent with every request; the server's credential stands here.",
          names: { kind: "text", description: "A header's name.", check: checkHeaderName },
          values: { kind: "text", description: "Its value.", check: checkHeaderValue },
          max: MAX_TAGS,
        },
        oauth: {
          kind: "toggle",
          description: "The gateway signs in to the server (OAuth), once, by `sallyport server connect`.",
          object: oauth,
        },
        command: plain("The program to start, which speaks MCP on its standard streams. No shell reads it."),
        args: {
          kind: "list",
          description: "Its arguments.",
          items: { kind: "text", description: "One argument.", check: checkProcessText },
          max: MAX_LIST,
        },
        env: {
          kind: "map",
          description: "Its variables; of ours it gets `PATH`, `HOME`, the language and the like, and no more.",
          names: { kind: "text", description: "A variable.", check: checkVariableName },
          values: { kind: "text", description: "What it holds; its credential stands here.", check: checkProcessText },
          max: MAX_VARIABLES,
        },
        cwd: path("The folder it starts in; a relative path starts at this file's folder, and so it does where this is left out."),
        process: {
          kind: "text",
          description:
            "`server` (left out): one process that all clients share, and that can ask none of them anything. `session`: every session has its own.",
          choices: ["server", "session"],
        },
      },
    },
    network: {
      kind: "object",
      description: "Which private or special addresses the server may have.",
      keys: {
        allow: {
          kind: "list",
          description: "Ranges of addresses that are otherwise refused.",
          items: { kind: "text", description: "An address or a range.", check: checkCidr },
          max: MAX_LIST,
        },
      },
    },
    classes: {
      kind: "map",
      description: "Classes of tools set by hand, which go before the classifier's.",
      names: { kind: "text", description: "A tool's name.", check: (text) => (text === "" ? "A tool has a name." : undefined) },
      values: { kind: "text", description: "The class.", choices: TOOL_CLASSES },
      max: MAX_POLICIES,
    },
    tools: {
      kind: "text",
      description: "`accept` (left out): tools hold as first seen. `review`: each waits for an admin.",
      choices: ["accept", "review"],
    },
    audit: {
      kind: "object",
      description: "What the log says of calls to this server.",
      keys: {
        arguments: {
          kind: "text",
          description: "What of a call's arguments is on record: their `keys` (left out) or their `values` too.",
          choices: ["keys", "values"],
        },
      },
    },
    results: {
      kind: "object",
      description: "What the results of calls, prompts and resources may be; what is beyond is withheld whole.",
      keys: {
        maxBytes: { kind: "integer", description: "Bytes of one answer; left out: 32 MiB.", min: 1024, max: 33_554_432 },
        maxDepth: { kind: "integer", description: "Nesting of one answer, its envelope among it; left out: 128.", min: 8, max: 128 },
        timeoutSeconds: {
          kind: "integer",
          description: "How long a call may take; progress gives it as long again, ten times at most and never over an hour.",
          min: 1,
          max: 3_600,
        },
        types: {
          kind: "list",
          description:
            "Types of content that may come back; left out: all. Structured content counts as `text`, what is read of a resource as `resource`.",
          items: { kind: "text", description: "A type of content.", choices: ["text", "image", "audio", "resource", "resource_link"] },
          max: MAX_LIST,
        },
      },
    },
    asks: {
      kind: "list",
      description: "What the server may ask of the people and models behind its clients; left out: nothing.",
      items: { kind: "text", description: "A kind of question.", choices: ["sampling", "elicitation", "roots"] },
      max: MAX_LIST,
    },
    meta: {
      kind: "list",
      description: "Keys of a client's `_meta` that reach this server, besides trace and progress.",
      items: { kind: "text", description: "A key.", check: checkMetaKey },
      max: MAX_LIST,
    },
  },
};

const policy: ObjectShape = {
  kind: "object",
  description: "One policy, for one server: a file of its own, or the document itself.",
  required: ["server"],
  oneOf: { file: [], document: [] },
  keys: {
    server: name("The server that the policy is for."),
    file: path("The policy's file, JSON or YAML; a relative path starts at this file's folder."),
    document: { kind: "document", description: "The policy itself." },
  },
};

const grant: ObjectShape = {
  kind: "object",
  description: "One credential of one identity, for one server or several.",
  oneOf: { server: ["policy"], servers: [] },
  keys: {
    server: name("The server that the grant is for."),
    policy: name("The policy that decides; without one every call is denied."),
    servers: {
      kind: "map",
      description: "Several servers, each with the policy that decides there.",
      names: name("A server."),
      values: name("Its policy."),
      max: MAX_SERVERS,
    },
    identity: plain("Who holds it: a person, an agent, an automation."),
    owner: { kind: "text", description: "The e-mail of who answers for it; needed where a policy can ask a person.", check: checkEmail },
    token: {
      kind: "text",
      description: "The bearer token, of 16 characters or more; best read from the environment. Left out: whom `login` leads here.",
      check: checkToken,
    },
    tags: {
      kind: "map",
      description: "Words about the grant that policies can ask for.",
      names: plain("A tag."),
      values: { kind: "text", description: "What it says." },
      max: MAX_TAGS,
    },
    expires: { kind: "text", description: "When the grant ends, with its zone: `2027-01-01T00:00:00Z`.", check: checkTimestamp },
  },
};

export const CONFIG_SHAPE: ObjectShape = {
  kind: "object",
  description: "Configuration of Sallyport. Texts may hold ${NAME} and ${NAME:-default}, read from the environment.",
  keys: {
    $schema: { kind: "text", description: "The schema of this file, for editors." },
    listen,
    store: {
      kind: "object",
      description: "Where policies, grants, counters and the log are kept.",
      required: ["url"],
      keys: {
        url: {
          kind: "text",
          description:
            "`sqlite:` and a path, where a relative one starts at this file's folder; or `postgres://user:password@host/database`.",
          check: checkStoreUrl,
        },
      },
    },
    limits: {
      kind: "object",
      description: "Where the counters of limits live; left out: in the store.",
      required: ["url"],
      keys: {
        url: {
          kind: "text",
          description: "A Redis or Valkey that several gateways share: `redis://` or `rediss://`.",
          check: checkLimitsUrl,
        },
      },
    },
    secrets: {
      kind: "object",
      description: "Where the master key comes from; left out: a file in the data folder, or SALLYPORT_MASTER_KEY.",
      required: ["keyFile"],
      keys: { keyFile: path("The file with the master key; a relative path starts at this file's folder.") },
    },
    servers: { kind: "map", description: "MCP servers by name.", names: name("A server's name."), values: server, max: MAX_SERVERS },
    policies: { kind: "map", description: "Policies by name.", names: name("A policy's name."), values: policy, max: MAX_POLICIES },
    grants: { kind: "map", description: "Grants by label.", names: name("A grant's label."), values: grant, max: MAX_FILE_GRANTS },
    login: LOGIN_SHAPE,
    audit: {
      kind: "object",
      description: "The audit log.",
      keys: {
        durability: {
          kind: "text",
          description: "`process` (left out): on record before forwarding, survives a kill. `disk`: survives a power cut.",
          choices: ["process", "disk"],
        },
        retention: {
          kind: "text",
          description: "How long entries are kept, such as `400d`; older ones go in whole months. Left out: for ever.",
          check: checkRetention,
        },
      },
    },
  },
};
