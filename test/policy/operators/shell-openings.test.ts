/** `allow` of `shell_commands_in`: what substitution, redirection and assignment open, and what stays closed. */

import { expect, test } from "vitest";
import { judge, nameRows } from "./judge.ts";

const LIST = ["ls", "cat", "git status", "git log --oneline", "npm"];

test.each([
  ["ls $(cat x)", "yy"],
  ["ls $(rm x)", "ny"],
  ['ls "a $(rm x) b"', "ny"],
  ["ls `cat x`", "yy"],
  ["ls `rm x`", "ny"],
  ['ls "`rm x`"', "ny"],
  ["ls $(cat $(rm x))", "nyy"],
  ['ls "$(cat "$(rm x)")"', "nyy"],
  ["ls $(cat x; rm y)", "yny"],
  ["ls $(cat x | rm y && npm z)", "ynyy"],
  ["ls $(cat ')')", "yy"],
  ['ls $(cat ")" \\))', "yy"],
  ["ls $( cat x ; )", "yy"],
  ["ls a$(cat x)b; rm y", "yyn"],
  ["ls '$(rm x)'", "y"],
  ["ls \\$rm", "y"],
  ["ls # $(rm x)", "y"],
  ["git status $(cat x)", "yy"],
  ["ls $(git push)", "ny"],
  ["ls $(cat '`rm x`')", "yy"],
])("substitution, %j: %s", (line, expected) => {
  expect(judge("shell_commands_in", LIST, line, ["substitution"])).toBe(expected);
});

test.each(
  nameRows([
    "$(ls)",
    "$(ls) x",
    "`ls`",
    "l$(cat x)s",
    "git $(cat x)",
    "git `cat x`",
    "git log $(cat x)",
    "ls $HOME",
    'ls "$HOME"',
    "ls $(cat $HOME)",
    "ls ${x}",
    "ls $((1))",
    "ls $((cat x))",
    "ls $( (cat x) )",
    "ls $(",
    "ls $(cat",
    "ls $(cat x",
    "ls $()",
    "ls $(;)",
    "ls ``",
    "ls `cat",
    'ls "`cat"',
    "ls $(cat # x)",
    "ls $(cat x))",
    "ls $(cat x &)",
    "ls $(A=b)",
    "ls $(cat > x)",
    "ls $(<x)",
    "ls `cat \\`rm x\\``",
    "ls `cat \\x`",
    'ls "`cat "x"`"',
    "ls `cat 'a`b'`",
    "ls $'$(rm x)'",
    "cat <(ls)",
    `ls ${"$(cat ".repeat(20)}x${")".repeat(20)}`,
    "A=$(cat x) ls",
    "ls $(if)",
    "ls $(! cat)",
    "ls $(ls\ncat)",
  ]),
)("substitution, %s can't be judged", (_, line) => {
  expect(judge("shell_commands_in", LIST, line, ["substitution"])).toBe("?");
});

test.each([
  ["ls > x", "y"],
  ["ls >x", "y"],
  ["ls>x", "y"],
  [">x ls", "y"],
  ["ls >> x 2>&1", "y"],
  ["ls 2> x 1>&2 <y", "y"],
  ["ls <&- 2>&-", "y"],
  ["ls >| x", "y"],
  ["ls <> x", "y"],
  ["ls > rm", "y"],
  ["ls > x; rm y", "yn"],
  ["ls >x rm", "y"],
  ["ls > '$x y'", "y"],
  ["ls > *", "y"],
  ["ls > x # y", "y"],
  ["git 2>x status", "y"],
  ["> x rm", "n"],
  ["< x cat | rm", "yn"],
])("redirection, %j: %s", (line, expected) => {
  expect(judge("shell_commands_in", LIST, line, ["redirection"])).toBe(expected);
});

test.each(
  nameRows([
    "> x",
    "ls >",
    "ls > ;cat",
    "ls > # x",
    "ls > > x",
    "cat << x",
    "cat <<- x",
    "cat <<< x",
    "cat <(ls)",
    "ls >(cat)",
    "ls &> x",
    "ls &>> x",
    "ls >& x",
    "ls >&x",
    "ls 22> x",
    "ls > $x",
    "ls > $(cat)",
    "ls > `cat`",
    "ls > (x)",
    "ls <| x",
    "ls > x &",
    "ls >&'1'",
    "A=b ls > x",
    "git {x}>y push",
    "ls > x\u00a0y",
  ]),
)("redirection, %s can't be judged", (_, line) => {
  expect(judge("shell_commands_in", LIST, line, ["redirection"])).toBe("?");
});

test.each([
  ["A=b ls", "y"],
  ["A= ls", "y"],
  ["A=b B='c d' ls", "y"],
  ['_a1="x" rm y', "n"],
  ["A=~ ls", "y"],
  ["A=* ls", "y"],
  ["ls A=b", "y"],
  ["ls && A=b cat", "yy"],
  ["PATH=x ls", "y"],
  ["A\\=b ls", "n"],
  ["'A=b' ls", "n"],
])("assignment, %j: %s", (line, expected) => {
  expect(judge("shell_commands_in", LIST, line, ["assignment"])).toBe(expected);
});

test.each(
  nameRows([
    "A=b",
    "A=b; ls",
    "ls; A=b",
    "A=b if",
    "A=b !",
    "A=b (ls)",
    "A=(b) ls",
    "A+=b ls",
    "A[0]=b ls",
    "1A=b ls",
    "A-B=c ls",
    "=b ls",
    "'A'=b ls",
    "A'B'=c ls",
    "A=$x ls",
    "A=$(cat) ls",
    "A=b > x ls",
  ]),
)("assignment, %s can't be judged", (_, line) => {
  expect(judge("shell_commands_in", LIST, line, ["assignment"])).toBe("?");
});

test("together", () => {
  const all = ["substitution", "redirection", "assignment"];
  expect(judge("shell_commands_in", LIST, 'A=$(cat x) ls > "$(rm y)" 2>&1 | npm', all)).toBe("ynyy");
  expect(judge("shell_commands_in", LIST, "A=$(rm x)", all)).toBe("?");
  expect(judge("shell_commands_in", LIST, "ls > $HOME", all)).toBe("?");
  expect(judge("shell_commands_in", LIST, "ls & cat", all)).toBe("?");
});

test("no more than it names", () => {
  expect(judge("shell_commands_in", LIST, "ls", [])).toBe("y");
  expect(judge("shell_commands_in", LIST, "ls $(cat)", ["redirection", "assignment"])).toBe("?");
  expect(judge("shell_commands_in", LIST, "ls > x", ["substitution", "assignment"])).toBe("?");
  expect(judge("shell_commands_in", LIST, "A=b ls", ["substitution", "redirection"])).toBe("?");
});
