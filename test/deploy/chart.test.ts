/**
 * The Helm chart, rendered by the template engine that Helm has, with its functions: what comes out is Kubernetes'
 * objects, names hold together, and values that would break a promise are refused.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Validator } from "@cfworker/json-schema";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { ROOT } from "../support/program.ts";
import { readDeploy, readYaml } from "./parts.ts";

const CHART = path.join(ROOT, "deploy/helm/sallyport");
const hasGo = !(process.env["SALLYPORT_MISSING_PROGRAMS"] ?? "").split(",").includes("go");

interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  // biome-ignore lint/suspicious/noExplicitAny: each kind has its own.
  readonly spec: any;
  readonly data?: Readonly<Record<string, string>>;
}

let folder = "";
let renderer = "";

function render(values: unknown): { readonly objects: readonly KubeObject[]; readonly notes: string; readonly err: string } {
  const done = spawnSync(renderer, [CHART, "rel", "apps"], { encoding: "utf8", input: JSON.stringify(values) });
  if (done.status !== 0) return { objects: [], notes: "", err: done.stderr };
  const { "NOTES.txt": notes = "", ...files } = JSON.parse(done.stdout) as Record<string, string>;
  const documents = Object.values(files).flatMap((text) => {
    const read = parseAllDocuments(text);
    if (!Array.isArray(read)) return [];
    return read.map((document) => {
      expect(document.errors, text).toEqual([]);
      return document.toJS() as KubeObject | null;
    });
  });
  return { objects: documents.filter((object) => object !== null), notes, err: "" };
}

const kindOf = (objects: readonly KubeObject[], kind: string): KubeObject | undefined => objects.find((object) => object.kind === kind);

describe.runIf(hasGo)("the chart", () => {
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), "sallyport-chart-"));
    renderer = path.join(folder, "render");
    const env = { ...process.env, GOPATH: "/usr/share/gocode", GO111MODULE: "off", GOFLAGS: "", GOCACHE: path.join(folder, "cache") };
    const built = spawnSync("go", ["build", "-o", renderer, "."], { cwd: path.join(ROOT, "test/deploy/render"), env, encoding: "utf8" });
    if (built.status !== 0) throw new Error(built.stderr);
  }, 180_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("is one gateway on SQLite, on a claim that stays, as it comes", () => {
    const { objects, notes, err } = render({});
    expect(err).toBe("");
    expect(objects.map(({ kind }) => kind).sort()).toEqual([
      "ConfigMap",
      "Deployment",
      "PersistentVolumeClaim",
      "Service",
      "ServiceAccount",
    ]);
    const deployment = kindOf(objects, "Deployment") as KubeObject;
    expect(deployment.spec.strategy.type).toBe("Recreate");
    const pod = deployment.spec.template.spec;
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
    const [container] = pod.containers;
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    const volumes = new Set(pod.volumes.map(({ name }: { name: string }) => name));
    for (const { name } of container.volumeMounts) expect(volumes.has(name)).toBe(true);
    expect(pod.volumes.find(({ name }: { name: string }) => name === "data").persistentVolumeClaim.claimName).toBe("rel-sallyport");
    expect(notes).toContain("rel-sallyport runs 1 gateway.");
  });

  test("labels that select stand on what they select", () => {
    const { objects } = render({ replicas: 2, config: { store: { url: "postgres://db/sallyport" } } });
    const selector = kindOf(objects, "Service")?.spec.selector;
    const deployment = kindOf(objects, "Deployment") as KubeObject;
    expect(deployment.spec.template.metadata.labels).toEqual(selector);
    expect(deployment.spec.selector.matchLabels).toEqual(selector);
    expect(kindOf(objects, "PodDisruptionBudget")?.spec.selector.matchLabels).toEqual(selector);
    expect(kindOf(objects, "PersistentVolumeClaim")).toBeUndefined();
    expect(deployment.spec.strategy.type).toBe("RollingUpdate");
  });

  test("two gateways on SQLite are refused in words, and on PostgreSQL are not", () => {
    expect(render({ replicas: 2 }).err).toContain("more than one gateway needs PostgreSQL");
    expect(render({ replicas: 2, config: { store: { url: "sqlite:./data/x.db" } } }).err).toContain(
      "more than one gateway needs PostgreSQL",
    );
    for (const url of ["postgres://db/x", "postgresql://db/x", "${STORE_URL}"]) {
      expect(render({ replicas: 3, config: { store: { url } } }).err).toBe("");
    }
  });

  test("hands the configuration on as it was written", () => {
    const config = {
      store: { url: "${STORE_URL}" },
      servers: { files: { upstream: { url: "https://files.example.com/mcp", headers: { Authorization: "Bearer ${FILES_KEY}" } } } },
      policies: { all: { server: "files", document: { version: "1", default: "deny", tools: { "read_*": {}, "-": { action: "deny" } } } } },
    };
    const { objects } = render({ config, environment: { NOTE: 'a "quoted": {word}' }, environmentFrom: [{ secretRef: { name: "keys" } }] });
    const [document] = parseAllDocuments(kindOf(objects, "ConfigMap")?.data?.["sallyport.yaml"] ?? "");
    expect(document?.toJS()).toMatchObject(config);
    const [container] = kindOf(objects, "Deployment")?.spec.template.spec.containers ?? [];
    expect(container.env).toEqual([{ name: "NOTE", value: 'a "quoted": {word}' }]);
    expect(container.envFrom).toEqual([{ secretRef: { name: "keys" } }]);
  });

  test("an ingress leads to the service, with its certificate", () => {
    const { objects, notes } = render({ ingress: { enabled: true, className: "nginx", host: "gateway.example.com", tlsSecret: "tls" } });
    const ingress = kindOf(objects, "Ingress") as KubeObject;
    const backend = ingress.spec.rules[0].http.paths[0].backend.service;
    const service = kindOf(objects, "Service") as KubeObject;
    expect(backend.name).toBe(service.metadata.name);
    expect(service.spec.ports.map(({ name }: { name: string }) => name)).toContain(backend.port.name);
    expect(ingress.spec.tls).toEqual([{ hosts: ["gateway.example.com"], secretName: "tls" }]);
    expect(notes).toContain("https://gateway.example.com/mcp/<server>");
  });
});

describe("the schema of its values", () => {
  const validator = new Validator(JSON.parse(readDeploy("helm/sallyport/values.schema.json")), "7", false);
  const values = readYaml("helm/sallyport/values.yaml") as Readonly<Record<string, unknown>>;

  test("holds the values as they come", () => {
    const { valid, errors } = validator.validate(values);
    expect(errors).toEqual([]);
    expect(valid).toBe(true);
  });

  test.each([
    ["no gateway at all", { replicas: 0 }],
    ["a misspelt key", { replica: 2 }],
    ["a store without an address", { config: { store: {} } }],
    ["a server whose name no configuration takes", { config: { servers: { "Not A Name": {} } } }],
    ["an ingress without a host", { ingress: { enabled: true, host: "" } }],
    ["a size in words", { persistence: { enabled: true, size: "large" } }],
  ])("refuses %s", (_, change) => {
    expect(validator.validate({ ...values, ...change }).valid).toBe(false);
  });
});
