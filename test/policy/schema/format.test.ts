/** The formats that a policy may assert, each against the edges of its RFC. */
import { describe, expect, test } from "vitest";
import { toJson } from "../../../src/kernel/json.ts";
import { compilePolicySchema } from "../../../src/policy/schema/policy-schema.ts";
import { judgeByInput, judgeByPolicy, readJson } from "./read.ts";

const LABEL_63 = "a".repeat(63);

const TABLE: Record<string, { good: string[]; bad: string[] }> = {
  date: {
    good: ["1963-06-19", "2020-01-31", "2020-02-29", "2000-02-29", "0000-02-29", "2021-02-28", "2020-04-30", "2020-12-31"],
    bad: [
      "06/19/1963",
      "2013-350",
      "1998-1-20",
      "1998-01-1",
      "1998-13-01",
      "1998-00-01",
      "1998-04-31",
      "1998-01-00",
      "2021-02-29",
      "1900-02-29",
      "2023-W13-2",
      "20230328",
      "1963-06-1৪",
      "2020-11-28T23:55:45Z",
      "2020-11-28 ",
      " 2020-11-28",
      "2020-11-28\n",
      "02020-11-28",
      "-2020-11-28",
      "",
    ],
  },
  time: {
    good: [
      "08:30:06Z",
      "08:30:06z",
      "23:59:60Z",
      "15:59:60-08:00",
      "23:29:60+23:30",
      "01:29:60+01:30",
      "00:29:60-23:30",
      "23:20:50.52Z",
      "08:30:06.283185Z",
      "08:30:06+00:20",
      "08:30:06-08:00",
      "00:00:00.000000000000001Z",
    ],
    bad: [
      "008:030:006Z",
      "8:3:6Z",
      "8:0030:6Z",
      "22:59:60Z",
      "23:58:60Z",
      "23:59:60+01:00",
      "23:59:60-08:00",
      "24:00:00Z",
      "00:60:00Z",
      "00:00:61Z",
      "01:02:03+24:00",
      "01:02:03+00:60",
      "01:02:03Z+00:30",
      "01:01:01,1111",
      "12:00:00",
      "12:00:00.52",
      "1২:00:00Z",
      "08:30:06#00:20",
      "ab:cd:ef",
      "08:30:06 PST",
      "08:30Z",
      "12:00:00.Z",
      "12:00:00+0100",
      "12:00:00+01",
      "T12:00:00Z",
    ],
  },
  "date-time": {
    good: [
      "1963-06-19T08:30:06.283185Z",
      "1963-06-19T08:30:06Z",
      "1937-01-01T12:00:27.87+00:20",
      "1990-12-31T15:59:50.123-08:00",
      "1998-12-31T23:59:60Z",
      "1998-12-31T15:59:60.123-08:00",
      "1963-06-19t08:30:06.283185z",
    ],
    bad: [
      "1998-12-31T23:59:61Z",
      "1998-12-31T23:58:60Z",
      "1998-12-31T22:59:60Z",
      "1990-02-31T15:59:59.123-08:00",
      "1990-12-31T15:59:59-24:00",
      "1963-06-19T08:30:06.28123+01:00Z",
      "06/19/1963 08:30:06 PST",
      "2013-350T01:01:01",
      "1963-6-19T08:30:06.283185Z",
      "1963-06-1T08:30:06.283185Z",
      "1963-06-19 08:30:06Z",
      "1963-06-1৪T00:00:00Z",
      "1963-06-11T0৪:00:00Z",
      "1963-06-19T08:30:06",
      "1963-06-19",
      "+11963-06-19T08:30:06Z",
    ],
  },
  email: {
    good: [
      "joe.bloggs@example.com",
      "te~st@example.com",
      "~test@example.com",
      "test~@example.com",
      "te.s.t@example.com",
      '"joe bloggs"@example.com',
      '"joe..bloggs"@example.com',
      '"joe@bloggs"@example.com',
      '"a\\"b"@example.com',
      "joe.bloggs@[127.0.0.1]",
      "joe.bloggs@[IPv6:::1]",
      "a@localhost",
      `${"a".repeat(64)}@example.com`,
      "a+b@xn--bcher-kva.example",
    ],
    bad: [
      "2962",
      "@example.com",
      "joe@",
      ".test@example.com",
      "test.@example.com",
      "te..st@example.com",
      "joe.bloggs@invalid=domain.com",
      "joe.bloggs@[127.0.0.300]",
      "joe.bloggs@[::1]",
      "joe.bloggs@[IPv6:::1",
      "joe bloggs@example.com",
      "joe@bloggs@example.com",
      '"joe"bloggs"@example.com',
      "user1@oceania.org, user2@oceania.org",
      '"Winston Smith" <winston@example.com>',
      "a@-example.com",
      "a@example..com",
      "a@example.com.",
      `${"a".repeat(65)}@example.com`,
      "jö@example.com",
      "joe@exämple.com",
      "joe@example.com\n",
      "",
    ],
  },
  hostname: {
    good: [
      "www.example.com",
      "xn--4gbwdl.xn--wgbh1c",
      "xn--bcher-kva.example",
      "XN--BCHER-KVA.example",
      "localhost",
      "1host",
      "hostnam3",
      "a.b-c.d",
      `${LABEL_63}.com`,
      "a-b.c--d",
      `${`${LABEL_63}.`.repeat(3)}${"a".repeat(61)}`,
    ],
    bad: [
      "",
      ".",
      ".example",
      "example.",
      "a..b",
      "-hostname",
      "hostname-",
      "_hostname",
      "hostname_",
      "host_name",
      "not a host",
      `${LABEL_63}a.com`,
      `${`${LABEL_63}.`.repeat(3)}${"a".repeat(62)}`,
      "xn--X",
      "xn--ls8h.la",
      "xn--1ch.example",
      "xn--abc-",
      "ab--cd.example",
      "example．com",
      "bücher.example",
      "a.-b.c",
      "a.b\n",
      "a/b",
      "[::1]",
    ],
  },
  ipv4: {
    good: ["192.168.0.1", "0.0.0.0", "255.255.255.255", "87.10.0.1"],
    bad: [
      "127.0.0.0.1",
      "256.256.256.256",
      "127.0",
      "0x7f000001",
      "2130706433",
      "087.10.0.1",
      "1২7.0.0.1",
      "192.168.1.0/24",
      " 192.168.0.1",
      "192.168.0.1 ",
      "192.168.0.1\n",
      "1.2.3.",
      "1.2.3.4.",
      "",
      "1.2.3.-4",
    ],
  },
  ipv6: {
    good: [
      "::1",
      "::",
      "::abef",
      "2001:db8::8a2e:370:7334",
      "::42:ff:1",
      "d6::",
      "1:d6::42",
      "1::d6:192.168.0.1",
      "1:2::192.168.0.1",
      "::ffff:192.168.0.1",
      "1000:1000:1000:1000:1000:1000:255.255.255.255",
      "1:2:3:4:5:6:7:8",
      "FE80::A",
    ],
    bad: [
      "12345::",
      "::abcef",
      "1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1",
      "::laptop",
      ":2:3:4:5:6:7:8",
      "1:2:3:4:5:6:7:",
      ":2:3:4::8",
      "1::d6::42",
      "1::2:192.168.256.1",
      "1::2:192.168.ff.1",
      "::ffff:192.168.0",
      "100:100:100:100:100:100:255.255.255.255.255",
      "1:2:3:4:5:::8",
      "1:2:3:4:5:6:7",
      "1",
      "127.0.0.1",
      "1:2:3:4:1.2.3",
      " ::1",
      "::1 ",
      "fe80::/64",
      "fe80::a%eth1",
      "1:2:3:4:5:6:7:৪",
      "1:2::192.16৪.0.1",
      "[::1]",
      "",
    ],
  },
  uri: {
    good: [
      "http://foo.bar/?baz=qux#quux",
      "http://foo.com/blah_(wikipedia)_blah#cite-1",
      "http://foo.bar/?q=Test%20URL-encoded%20stuff",
      "http://xn--nw2a.xn--j6w193g/",
      "http://-.~_!$&'()*+,;=:%40:80%2f::::::@example.com",
      "http://223.255.255.254",
      "ftp://ftp.is.co.za/rfc/rfc1808.txt",
      "ldap://[2001:db8::7]/c=GB?objectClass?one",
      "mailto:John.Doe@example.com",
      "news:comp.infosystems.www.servers.unix",
      "tel:+1-816-555-1212",
      "urn:oasis:names:specification:docbook:dtd:xml:4.1.2",
      "http://[v1.fe80::a]/",
      "http://host:/path",
      "x:",
      "file:///etc/passwd",
      "https://example.org/a?b/c?d#e?f/g",
    ],
    bad: [
      "//foo.bar/?baz=qux#quux",
      "/abc",
      "\\\\WINDOWS\\fileshare",
      "abc",
      "http:// shouldfail.com",
      ":// should fail",
      "bar,baz:foo",
      "https://[@example.org/test.txt",
      "https://example.org/foobar\\.txt",
      "https://example.org/foobar<>.txt",
      "https://example.org/foobar{}.txt",
      "https://example.org/foobar^.txt",
      "https://example.org/foobar`.txt",
      "https://example.org/foo bar.txt",
      "https://example.org/foobar|.txt",
      "http://x.test/%2",
      "http://x.test/%zz",
      "http://x.test:80a/",
      "http://[::1",
      "http://[::g]/",
      "http://[::1]x/",
      "http://[fe80::a%25eth0]/",
      "http://exämple.com/",
      "http://a/#b#c",
      "1http://a",
      "",
      "http://a\n",
      "http://a/\u0000",
      "aa\nhttp://a",
    ],
  },
  uuid: {
    good: [
      "2EB8AA08-AA98-11EA-B4AA-73B441D16380",
      "2eb8aa08-aa98-11ea-b4aa-73b441d16380",
      "2eb8aa08-AA98-11ea-B4Aa-73B441D16380",
      "00000000-0000-0000-0000-000000000000",
      "98d80576-482e-427f-8434-7f86890ab222",
    ],
    bad: [
      "2eb8aa08-aa98-11ea-b4aa-73b441d1638",
      "2eb8aa08-aa98-11ea-73b441d16380",
      "2eb8aa08-aa98-11ea-b4ga-73b441d16380",
      "2eb8aa08aa9811eab4aa73b441d16380",
      "2eb8aa08aa98-11ea-b4aa73b441d16380",
      "2eb8-aa08-aa98-11ea-b4aa73b44-1d16380",
      "{2eb8aa08-aa98-11ea-b4aa-73b441d16380}",
      "2eb8aa08-aa98-11ea-b4aa-73b441d16380\n",
      "",
    ],
  },
};

describe.each(Object.entries(TABLE))("%s", (format, { good, bad }) => {
  const judge = judgeByPolicy(toJson({ format }));

  test.each(good)("takes %j", (text) => {
    expect(judge(text)).toBeUndefined();
  });

  test.each(bad)("refuses %j", (text) => {
    expect(judge(text)).toMatch(/^The value of `arguments` has to be .+\.$/);
  });

  test("says nothing of what is no string", () => {
    for (const value of ["12", "13.7", "{}", "[]", "false", "null"]) expect(judge(readJson(value))).toBeUndefined();
  });

  test("is an annotation in a server's schema", () => {
    expect(judgeByInput(toJson({ format }))("certainly none of them \u0000")).toBeUndefined();
  });
});

test("the nine formats are all there are", () => {
  expect(Object.keys(TABLE)).toHaveLength(9);
  for (const format of ["regex", "idn-email", "uri-reference", "Date", "", "duration", "iri", "constructor"]) {
    expect(compilePolicySchema(toJson({ properties: { a: { format } } }))).toMatchObject({ faults: [{ pointer: "/properties/a/format" }] });
    expect(judgeByInput(toJson({ format }))("x")).toBeUndefined();
  }
});

test("a long text is judged in linear time", () => {
  const start = process.cpuUsage();
  for (const format of Object.keys(TABLE)) {
    const judge = judgeByPolicy(toJson({ format }));
    for (const text of [
      `${"a".repeat(200_000)}!`,
      "1".repeat(200_000),
      `a@${"a.".repeat(100_000)}`,
      `a:${"%20".repeat(60_000)}%`,
      `"${"\\\\".repeat(90_000)}@a`,
    ])
      judge(text);
  }
  expect(process.cpuUsage(start).user / 1000).toBeLessThan(3000);
});
