import { expect, test } from "vitest";
import { nameAddress, type PostgresAddress, readPostgresUrl } from "../../src/kernel/postgres-url.ts";

const read = (text: string): PostgresAddress => {
  const address = readPostgresUrl(text);
  if (typeof address === "string") throw new Error(address);
  return address;
};

test("an address has a user, a password, a host, a port and a database", () => {
  expect(read("postgres://me:p%40ss%2Fw%23@db.example.com:6432/store")).toEqual({
    host: "db.example.com",
    port: 6432,
    user: "me",
    password: "p@ss/w#",
    database: "store",
    tls: "verify-full",
    caFile: undefined,
  });
  expect(read("postgresql://me@[2001:db8::1]/store")).toMatchObject({ host: "2001:db8::1", port: 5432, password: undefined });
  expect(read("POSTGRES://me:x@[::1]/store")).toMatchObject({ host: "::1", tls: "disable" });
});

test("whoever is not on this machine is reached over TLS that was checked, unless the address says otherwise", () => {
  const tls = (text: string) => read(text).tls;
  for (const host of ["localhost", "127.0.0.1", "LOCALHOST"]) expect(tls(`postgres://me@${host}/s`)).toBe("disable");
  for (const host of ["10.0.0.1", "db", "127.0.0.1.example.com"]) expect(tls(`postgres://me@${host}/s`)).toBe("verify-full");
  expect(tls("postgres://me@db/s?sslmode=disable")).toBe("disable");
  expect(tls("postgres://me@db/s?sslmode=require")).toBe("require");
  expect(read("postgres://me@db/s?sslmode=verify-ca&sslrootcert=/etc/ca.pem")).toMatchObject({ tls: "verify-ca", caFile: "/etc/ca.pem" });
});

test("a socket is a folder, in place of a host", () => {
  expect(read("postgres://me:x@/store?host=/run/postgresql")).toMatchObject({ host: "/run/postgresql", password: "x", tls: "disable" });
  expect(read("postgres://me@/store?host=/run/postgresql").port).toBe(5432);
});

test.each([
  "postgres://db/store",
  "postgres://me@db",
  "postgres://me@db/",
  "postgres://me@db/a/b",
  "postgres://me@/store",
  "postgres://me@db/store?host=/run",
  "postgres://me@/store?host=run",
  "postgres://me@db/store?sslmode=prefer",
  "postgres://me@db/store?sslmode=disable&sslmode=require",
  "postgres://me@db/store?sslrootcert=ca.pem",
  "postgres://me@db/store?sslmode=require&sslrootcert=/ca.pem",
  "postgres://me@db/store?options=-c%20x",
  "postgres://me:canary#x@db/store",
  "postgres://me:can%zzary@db/store",
  "postgres:me@db/store",
  "postgres://me@db:99999/store",
])("%s is refused whole, and not quoted", (text) => {
  const said = readPostgresUrl(text);
  expect(said).toEqual(expect.any(String));
  expect(said).not.toContain("canary");
});

test("its name says where it is, not who comes with what", () => {
  expect(nameAddress(read("postgres://me:canary@db.example.com/store"))).toBe("store at db.example.com:5432");
  expect(nameAddress(read("postgres://me:canary@[::1]:1/store"))).toBe("store at [::1]:1");
  expect(nameAddress(read("postgres://me:canary@/store?host=/run/pg"))).toBe("store at /run/pg");
});
