import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import type { Json } from "@prodigy/core/domain/WorkItem"
import * as ShellText from "@prodigy/core/workflow/ShellText"
import type { TemplateError } from "@prodigy/core/workflow/Template"
import type { Scope } from "@prodigy/core/workflow/Variables"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

let directory = ""

beforeAll(() => {
  directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "prodigy-shell-text-"))
})

afterAll(() => {
  Fs.rmSync(directory, { recursive: true, force: true })
})

describe("ShellText", () => {
  describe.each(interpreters())("in %s", (interpreter) => {
    it("gives every value as it is, and runs none, in every context", () => {
      FastCheck.assert(
        FastCheck.property(FastCheck.array(nastyText, { minLength: 10, maxLength: 20 }), (values) => {
          const used = contexts.filter((context) => context.only === undefined || context.only === interpreter)
          const cases = values.flatMap((value, index) => used.map((context) => ({ context, index, value })))
          const script = cases.map(({ context, index }) => context.script(`item.v${index}`)).join("\n")
          const item = Object.fromEntries(values.map((value, index) => [`v${index}`, value]))
          const printed = run(interpreter, script, { author: {}, data: { item } }).split("\0")
          for (const [index, { context, value }] of cases.entries()) {
            assert.strictEqual(printed[index], context.expected(value), context.script("item.v"))
          }
          assert.lengthOf(printed, cases.length + 1)
        }),
        // Shrinking would take minutes, and the message names the context
        { numRuns: 5, endOnFailure: true }
      )
    })

    it("gives values that are too large for the environment, on the lines they were on", () => {
      const large = `${"'$(touch pwned)`é\n".repeat(20_000)}\n\n`
      const script = "printf '%s' '${item.a}' \"${item.b}\"; cat <<'EOF'\n${item.a}\nEOF\n/bin/true"
      const scope: Scope = { author: {}, data: { item: { a: large, b: "b" } } }
      assert.isTrue(run(interpreter, script, scope) === `${large}b${large}\n`)
      assert.lengthOf(rendered(script, scope).script.split("\n"), script.split("\n").length)
    })

    it("does not hand a large value to children through a variable they inherit", () => {
      const large = "x".repeat(200_000)
      const script = "#!/bin/sh\nprintf %s ${#item}; printf %s \"${item}\" | wc -c | tr -d ' '"
      const printed = run(interpreter, script, { author: {}, data: { item: large } }, { PRODIGY_V_1: "inherited" })
      assert.strictEqual(printed, "200000200000\n")
    })

    it("stops when the file of a large value is missing", () => {
      const text = rendered("echo ran '${item}'", data("x".repeat(100_000)))
      const outcome = spawn(interpreter, text.script, { PRODIGY_V_1_FILE: Path.join(directory, "missing") })
      assert.strictEqual(outcome.status, 125)
      assert.strictEqual(outcome.stdout, "")
    })

    it("passes many values that together are too large for the environment", () => {
      const item = Object.fromEntries(
        Array.from({ length: 40 }, (_, index) => [`v${index}`, `${index}`.repeat(40_000)])
      )
      const script = Array.from({ length: 40 }, (_, index) => `printf '%s\\n' "\${item.v${index}}"`).join("\n")
      assert.isTrue(
        run(interpreter, script, { author: {}, data: { item } }) ===
          Object.values(item)
            .map((value) => `${value}\n`)
            .join("")
      )
    })

    it("puts values where the text of a harmless one would be, in any nesting", () => {
      FastCheck.assert(
        FastCheck.property(commandText, (script) => {
          const file = spawn(interpreter, script.replaceAll("${item}", ".vvv"), {})
          const result = ShellText.render(script, data(".vvv"))
          const refused = Either.isLeft(result) && result.left.detail.includes("quoted heredoc in backticks")
          FastCheck.pre(file.stderr === "" && !refused)
          const text = rendered(script, data(".vvv"))
          const outcome = spawn(interpreter, text.script, text.env)
          assert.deepStrictEqual([outcome.stdout, outcome.stderr], [file.stdout, ""], text.script)
        }),
        { numRuns: 60 }
      )
    })

    it("runs no value in any of the everyday commands that are taken", () => {
      const run = (value: string): void => {
        for (const script of takenScripts) {
          const text = rendered(script, data(value))
          const left = leftBy(interpreter, `${tools}\n${text.script}`, text.env)
          assert.notInclude(left, "pwned", script)
        }
      }
      for (const value of hostileValues) run(value)
      FastCheck.assert(FastCheck.property(nastyText, run), { numRuns: 8, endOnFailure: true })
    })

    it("lets whole numbers into arithmetic", () => {
      const scope: Scope = { author: {}, data: { item: { n: 7, m: -2 } } }
      assert.strictEqual(run(interpreter, 'echo $((${item.n} * (1 + ${item.m}))) "$((${item.n}-1))"', scope), "-7 6\n")
    })

    it("splits unquoted values as it does its own variables", () => {
      const script = "for file in ${step.files_added}; do printf '<%s>' $file; done"
      assert.strictEqual(run(interpreter, script, data(["a", "b"], "step.files_added")), "<a><b>")
    })

    it("runs what ${raw:…} inserts", () => {
      assert.strictEqual(run(interpreter, "${raw:item.cmd}", data({ cmd: "echo a; echo b" })), "a\nb\n")
    })
  })

  it("leaves scripts without placeholders as they are, byte for byte", () => {
    const scope: Scope = { author: { KNOWN: "x" }, data: { item: { path: "p" } } }
    FastCheck.assert(
      FastCheck.property(FastCheck.array(shellFragment, { maxLength: 40 }), (fragments) => {
        const script = fragments.join("")
        assert.deepStrictEqual(ShellText.render(script, scope), Either.right({ script, env: {}, files: {} }))
      }),
      { numRuns: 2_000 }
    )
  })

  it.each([
    "echo $1 $? $$ $! $# $@ $* $- ${1} ${10} ${#} ${?}",
    "${X} ${X:-d} ${X:=d} ${X-d} ${X:+d} ${X:?gone} ${X%.*} ${X##*/} ${#X} ${X/a/b} ${X:1:2} ${X^^} ${!X}",
    "${arr[@]} ${arr[0]} ${#arr[@]} ${arr[$i]}",
    "$(echo hi) `date` $((1 + 2)) $'a\\tb' ${X:-${Y:-$(z)}}",
    "cat <<'EOF'\n$HOME ${X} \\${X}\nEOF\n",
    "sed 's/\\${X}/y/' # ${foo.bar} is not ours in a comment",
    "unclosed ${ 'quote",
    ""
  ])("leaves %j exactly as it is", (script) => {
    assert.strictEqual(rendered(script, data({ path: "p" })).script, script)
  })

  it("inserts what the author wrote as text", () => {
    const scope: Scope = { author: { FLAGS: "-l -a", n: 8, on: true, none: null, list: ["a", "b"] }, data: {} }
    const text = rendered("ls $FLAGS ${FLAGS} '${n}' ${on} [${none}] ${list} ${missing.x:-d e}", scope)
    assert.deepStrictEqual(text, { script: "ls -l -a -l -a '8' true [] a b d e", env: {}, files: {} })
  })

  it("reads quotes that the author's values bring along", () => {
    const scope: Scope = { author: { Q: "'" }, data: { item: "v" } }
    assert.strictEqual(rendered("echo ${Q}${item}${Q}", scope).script, "echo ''\"${PRODIGY_V_1}\"''")
  })

  it("keeps data in a default apart from the text around it", () => {
    const scope: Scope = { author: {}, data: { item: { a: "", b: "$(touch pwned)" } } }
    const text = rendered("echo '${item.a:-x ${item.b}}'", scope)
    assert.deepStrictEqual(text, {
      script: "echo 'x '\"${PRODIGY_V_1}\"''",
      env: { PRODIGY_V_1: "$(touch pwned)" },
      files: {}
    })
  })

  it("passes a value that is used twice once, in the form asked for", () => {
    const scope = data({ list: ["a b", 'c"'] })
    const text = rendered(
      "${X:-1} '${item.list}' \"${item.list}\" '${item.list:json}' '${item.list:csv}' ${#item.list}",
      scope
    )
    assert.deepStrictEqual(text.env, {
      PRODIGY_V_1: 'a b c"',
      PRODIGY_V_2: '["a b","c\\""]',
      PRODIGY_V_3: 'a b,"c"""'
    })
    assert.isTrue(text.script.endsWith(" 2"))
  })

  it.each([
    ["echo \\${item}", "echo \\${item}"],
    ['echo "\\${item}"', 'echo "\\${item}"'],
    ["echo '\\${item}'", "echo '${item}'"],
    ["cat <<'EOF'\n\\${item} `${x.y:-a}`\nEOF", "cat <<'EOF'\n${item} `a`\nEOF"],
    ["cat <<'EOF'\n\\${item.b} $X\n${item}\nEOF", "cat <<EOF\n\\${item.b} \\$X\n${PRODIGY_V_1}\nEOF"],
    ["echo \\\\${item}", "echo \\\\${PRODIGY_V_1}"]
  ])("makes literal text of an escaped placeholder: %j", (script, expected) => {
    assert.strictEqual(rendered(script, data("v")).script, expected)
  })

  it("names near variables when a dotted name leads nowhere", () => {
    const error = failure("echo '${item.pth}'", data({ path: "p" }))
    assert.strictEqual(error.reason, "unknown_variable")
    assert.strictEqual(error.placeholder, "${item.pth}")
    assert.strictEqual(error.offset, 6)
    assert.deepStrictEqual(error.suggestions, ["item.path"])
  })

  it.each([
    "${item}",
    '"${item}" --flag',
    "cd x && ${item}",
    "if ${item}; then :; fi",
    "FOO=1 ${item}",
    "$(${item})",
    "2>/dev/null ${item}",
    "exec ${item}",
    "a | ${item}",
    "case a in a) ${item};; esac",
    'eval "echo ${item}"',
    "sh -c 'echo ${item}'",
    'timeout 5 bash -euo pipefail -c "echo ${item}"',
    "trap 'rm ${item}' EXIT",
    "sh <<'EOF'\necho ${item}\nEOF",
    'bash <<< "${item}"',
    "echo $((${item} + 1))",
    "(( x = ${item} ))",
    'echo "$((1 + $((2 * ${item}))))"',
    "x[${item}]=1",
    "echo ${x[${item}]}",
    "echo ${x:${item}}",
    "[[ ${item} -eq 1 ]]",
    "cat <<${item}\nx\n",
    "echo $[ ${item} ]"
  ])("refuses a value where it could run: %j", (script) => {
    const error = failure(script, data("a[$(touch pwned)]"))
    assert.strictEqual(error.reason, "unsafe_value")
    assert.strictEqual(error.placeholder, "${item}")
    assert.strictEqual(error.offset, script.indexOf("${item}"))
  })

  it.each([
    "./run/${item}.sh",
    "X=${item} env",
    "case ${item} in\n  ${item}) echo;;\n  (b) echo\nesac",
    "for x in ${item}; do echo $x; done",
    "x=(${item} b)",
    "[[ -n ${item} && ${item} == a ]]",
    "cat < ${item} > ${item}",
    "cmd &> log ${item}",
    'sh -c \'echo "$1"\' sh "${item}"',
    "sh script.sh ${item}",
    "command -v ${item}",
    'echo "${x:-${item}}" ${x%${item}}',
    "f() { echo ${item}; }"
  ])("takes a value as an argument: %j", (script) => {
    assert.deepStrictEqual(rendered(script, data("a b")).env, { PRODIGY_V_1: "a b" })
  })

  it.each(refusedScripts)("refuses a value that a builtin or a program would run: %j", (script) => {
    const error = failure(script, data("a[$(touch pwned)]"))
    assert.strictEqual(error.reason, "unsafe_value")
    assert.strictEqual(error.offset, script.indexOf("${item}"))
  })

  it.each(refusedNames)("refuses to run or calculate what a variable took from a value: %j", (script) => {
    const error = failure(script, data("a[$(touch pwned)]"))
    assert.strictEqual(error.reason, "unsafe_value")
    assert.strictEqual(error.offset, script.indexOf("${item}"))
  })

  it("refuses to run or calculate what a variable of the environment holds, unless it is a whole number", () => {
    const refused = ["echo $((N + 1))", 'eval "$N"', 'sh -c "$N"', "[[ $N -gt 3 ]]", "$N x", "m=$N; echo $((m))"]
    for (const script of refused) {
      const result = ShellText.render(script, empty, { N: "a[$(touch pwned)]" })
      const error = Either.isLeft(result) ? result.left : assert.fail(script)
      assert.strictEqual(error.reason, "unsafe_value", script)
      assert.strictEqual(error.placeholder, "$N")
      assert.strictEqual(error.offset, script.indexOf("$N") < 0 ? script.indexOf("N") : script.indexOf("$N"))
      assert.deepStrictEqual(
        ShellText.render(script.startsWith("$N") ? "echo $N" : script, empty, { N: "7" }).pipe(Either.isRight),
        true
      )
    }
    const script = 'echo "$N" > f; [ "$N" -gt 3 ]; grep -e "$N" f'
    assert.deepStrictEqual(
      ShellText.render(script, empty, { N: "a[$(touch pwned)]" }),
      Either.right({ script, env: {}, files: {} })
    )
  })

  it("calculates with variables that took whole numbers, and says what to write instead for others", () => {
    const script = 'n="${item}"; echo $((n + 1)); [[ $n -gt 3 ]]; x[n]=1'
    assert.strictEqual(rendered(script, data(7)).env["PRODIGY_V_1"], "7")
    assert.include(failure(script, data("v")).message, 'compare by [ "$n" -gt 3 ], calculate by expr "$n" + 1')
  })

  it("says which words read the value as code, and how to hand it over", () => {
    const { message } = failure('timeout 5 sh -ce "echo ${item}"', data("v"))
    assert.include(message, "`timeout 5 sh -ce …`")
    assert.include(message, 'sh -c \'… "$1"\' sh "${item}"')
    assert.include(message, "env")
  })

  it("takes whole numbers in the programs of awk and in attributes of variables", () => {
    for (const script of ['awk "NR==${item}" f', 'declare -i n="${item}"', "timeout ${item} true"]) {
      assert.strictEqual(rendered(script, data(7)).env["PRODIGY_V_1"], "7")
    }
  })

  it("refuses a value with a NUL", () => {
    const error = failure("echo '${item}'", data("a\0b"))
    assert.strictEqual(error.reason, "unsafe_value")
    assert.include(error.message, "NUL")
  })

  it("finds names that can never be known before there are values", () => {
    const script = "echo ${item.path} ${itm.path} ${X} $HOME ${nope.x:-d} \\${not.this} ${raw:itm} ${arr[0]}"
    const found = ShellText.check(script, ["item"])
    assert.deepStrictEqual(
      found.map((error) => [error.placeholder, error.offset, error.reason]),
      [
        ["${itm.path}", script.indexOf("${itm"), "unknown_variable"],
        ["${raw:itm}", script.indexOf("${raw"), "unknown_variable"]
      ]
    )
  })
})

interface Context {
  readonly script: (name: string) => string
  readonly expected: (value: string) => string
  readonly only?: string
}

// Each is refused whatever the value is; the shell that reads it so is dash, bash, or both
const refusedScripts: ReadonlyArray<string> = [
  'sh -ce "echo ${item}"',
  'sh -c -e "echo ${item}"',
  'sh -c -- "echo ${item}"',
  'sh -ec -o errexit "echo ${item}"',
  'bash -cx "echo ${item}"',
  'bash --rcfile /dev/null -c "echo ${item}"',
  'bash --rcfile /dev/null -O extglob -c "echo ${item}"',
  'zsh --emulate sh -c "echo ${item}"',
  'env -S "sh -c" "echo ${item}"',
  'env -S"sh -c" "echo ${item}"',
  'env -S "${item}"',
  'env -i "${item}"',
  'nohup -- "${item}"',
  'exec -a name "${item}"',
  'timeout -k 5 10 "${item}"',
  'su -c "echo ${item}"',
  'su - user -c "echo ${item}"',
  'sudo -u me sh -ec "echo ${item}"',
  '$SH -c "echo ${item}"',
  '"$(command -v sh)" -ec "echo ${item}"',
  '\\eval "echo ${item}"',
  "'eval' \"echo ${item}\"",
  'command eval "echo ${item}"',
  'e\\val "echo ${item}"',
  'builtin eval "echo ${item}"',
  'function f { eval "echo ${item}"; }',
  ". /dev/stdin <<X\necho ${item}\nX",
  "source /dev/stdin <<X\necho ${item}\nX",
  ". /dev/fd/3 3<<X\necho ${item}\nX",
  "sh /dev/stdin <<X\necho ${item}\nX",
  "sh - <<X\necho ${item}\nX",
  "sh -e -s a <<X\necho ${item}\nX",
  "sudo sh <<X\necho ${item}\nX",
  'bash -s <<< "${item}"',
  "sh <<X -e\necho ${item}\nX",
  "ssh host <<X\necho ${item}\nX",
  'python3 - <<X\nprint("${item}")\nX',
  'node <<X\n"${item}"\nX',
  'alias zz="echo ${item}"',
  'declare -i n="${item}"',
  'local -i n="${item}"',
  'typeset -n n="${item}"',
  'declare -a n="${item}"',
  'declare "${item}=1"',
  'export "${item}"',
  'export PS4="${item}"',
  'readonly "${item}=1"',
  'read "${item}"',
  'read -r -a "${item}" < f',
  'unset "${item}"',
  'test -v "${item}"',
  '[ -v "${item}" ]',
  '[ ! -v "${item}" ]',
  '[ "${item}" "${item}" ]',
  'printf -v "${item}" x',
  'mapfile -C "${item}" a < f',
  'readarray "${item}" < f',
  'let "n = ${item}"',
  'trap "${item}" EXIT',
  'compgen -W "${item}"',
  'PS4="${item}"; set -x',
  'BASH_ENV="${item}" bash f',
  'ENV="${item}" sh f',
  'PROMPT_COMMAND="${item}"',
  'IFS="${item}"',
  'env BASH_ENV="${item}" bash f',
  'find . -exec sh -c "echo ${item}" \\;',
  'find . -exec "${item}" \\;',
  'xargs sh -c "echo ${item}"',
  'xargs "${item}"',
  'docker run image sh -ec "echo ${item}"',
  'docker run --entrypoint sh image -c "echo ${item}"',
  'ssh -p 22 host "echo ${item}"',
  'awk "{ print ${item} }" f',
  'awk -F : -v x=1 "/${item}/" f',
  'perl -ne "print ${item}" f',
  'perl -e"print ${item}"',
  "python3 -W ignore -c \"print('${item}')\"",
  "node -e \"f('${item}')\"",
  "node --eval=\"f('${item}')\"",
  "node -r ./a.js -p \"f('${item}')\"",
  "ruby -e \"f('${item}')\"",
  "php -r \"f('${item}');\""
]

const takenScripts: ReadonlyArray<string> = [
  'run() { "$@"; }; run echo "${item}"',
  'n="${item}"; [ "$n" -gt 3 ] 2>/dev/null || echo no',
  'n="${item}"; expr "$n" + 1',
  'n="${item}"; echo "$n" "${#n}" "${n%x}" "${n:1}" $(( ${#n} + 1 ))',
  'n="${item}"; [[ -n $n && $n == a* ]] 2>/dev/null',
  'n="${item}"; m=1; echo $((m + 1))',
  'f() { printf %s "$1"; }; f "${item}"',
  'n="${item}"; trap \'echo "$n"\' EXIT',
  'n="${item}"; sh -c \'echo "$1"\' _ "$n"',
  "i=0; for n in ${item}; do i=$((i + 1)); done",
  'read -r n <<X\n${item}\nX\necho "$n"',
  '(n="${item}"; echo "$n") | cat',
  'echo "${item}" > f',
  'grep -c "${item}" file',
  'tar -cf out "${item}"',
  'gcc -c "${item}"',
  'docker run image sh script.sh "${item}"',
  'sh ./script.sh "${item}"',
  'sh -e ./script.sh "${item}"',
  'sh ./script.sh -c "${item}"',
  'sh -c \'echo "$1"\' _ "${item}"',
  'sh -ec -- \'echo "$1"\' _ "${item}"',
  'env A="${item}" sh -c \'echo "$A"\'',
  'env -S "sh -c" \'echo "$1"\' _ "${item}"',
  'read -r line < "${item}"',
  'export NAME="${item}"; echo "$NAME"',
  'f() { x="${item}"; printf %s "$x"; }; f',
  'NAME="${item}" sh -c \'echo "$NAME"\'',
  "sh -c 'cat' <<X\n${item}\nX",
  "sh ./script.sh <<X\n${item}\nX",
  "cat <<X | wc -l\n${item}\nX",
  'while read -r line; do printf %s "$line"; done <<X\n${item}\nX',
  '[ "${item}" = x ] || [ -n "${item}" ]',
  'test -f "${item}"',
  "printf '%s' \"${item}\"",
  'find . -name "${item}"',
  'xargs -a "${item}" echo',
  'xargs -n 1 echo < script.sh; echo "${item}" | xargs -0 echo',
  "awk -v x=1 '{ print x }' \"${item}\"",
  "awk '{ print }' script.sh \"${item}\"",
  'python3 script.py -c "${item}"',
  'node script.js -p "${item}"',
  "node -e 'f(process.argv[1])' \"${item}\"",
  "python3 -c 'f()' \"${item}\"",
  'git commit -q -m "${item}"',
  'timeout "${item}" true',
  'command -v "${item}"',
  'sudo -u "${item}" true',
  'ssh host < "${item}"',
  'case "${item}" in eval) echo yes ;; *) echo no ;; esac'
]

const refusedNames: ReadonlyArray<string> = [
  'n="${item}"; echo $((n + 1))',
  'n="${item}"; (( n > 3 ))',
  'n="${item}"; [[ $n -gt 3 ]]',
  'n="${item}"; [[ n -gt 3 ]]',
  'n=\'${item}\'; echo "$(( $n * 2 ))" "$((${n}))"',
  'n=${item}; m="$n"; echo $((m))',
  'f() { echo $((n)); }\nn="${item}"; f',
  'f() { echo $(( $1 + 1 )); }; f "${item}"',
  'set -- "${item}"; echo $(( $1 ))',
  "for n in ${item}; do echo $((n)); done",
  'for n in "${item}"\ndo for ((i = 0; i < n; i++)); do :; done\ndone',
  "read -r n <<X\n${item}\nX\necho $((n))",
  'read -r n <<< "${item}"; echo $((n))',
  'local n="${item}"; let "n += 1"',
  'export n="${item}"; x[n]=1',
  'n="${item}"; echo "${x[n]}"',
  'n="${item}"; echo "${x:n}" "${x:$n}"',
  'n="${item}"; x[$n]=1',
  'x=("${item}"); echo $((x[0]))',
  'printf -v n %s "${item}"; echo $((n))',
  'declare -i n; n="${item}"',
  'n="${item}"; declare -i m="$n"',
  'n="${item}"; echo "${!n}"',
  'n="${item}"; [ -v "$n" ]',
  'c="${item}"; eval "echo $c"',
  'c="${item}"; sh -c "echo $c"',
  'c="${item}"; $c'
]

const hostileValues = [
  "$(touch pwned)",
  "`touch pwned`",
  "; touch pwned #",
  "'; touch pwned; '",
  '"; touch pwned; "',
  "a[$(touch pwned)]",
  "-c",
  "-v",
  "x\ntouch pwned\n"
]

// Programs that would do work of their own, or leave what the scripts are to leave
const tools = [
  "printf 'echo \"$1\"; cat >/dev/null' > script.sh",
  "docker() { :; }; gcc() { :; }; git() { :; }; ssh() { cat >/dev/null; }; sudo() { :; }; tar() { :; }",
  "python3() { :; }; node() { :; }"
].join("\n")

const same = (value: string): string => value

// Each prints what it got and a NUL
const contexts: ReadonlyArray<Context> = [
  { script: (n) => `printf '%s\\0' '\${${n}}'`, expected: same },
  { script: (n) => `printf '%s\\0' 'a"$\${${n}}b'"c"`, expected: (v) => `a"$${v}bc` },
  { script: (n) => `printf '%s\\0' "\${${n}}"`, expected: same },
  { script: (n) => `printf '%s\\0' "a'\${${n}}'b"`, expected: (v) => `a'${v}'b` },
  { script: (n) => `printf '%s\\0' "$\${${n}}"`, expected: (v) => `$${v}` },
  { script: (n) => `printf '%s\\0' "\\\\\${${n}}"`, expected: (v) => `\\${v}` },
  { script: (n) => `(set -f; IFS=; printf '%s\\0' x\${${n}}y)`, expected: (v) => `x${v}y` },
  { script: (n) => `x=\${${n}}; printf '%s\\0' "$x"`, expected: same },
  { script: (n) => `# \${${n}}\nprintf 'ok\\0' # it's \${${n}}`, expected: () => "ok" },
  { script: (n) => `cat <<EOF\na'\${${n}}"b\nEOF\nprintf '\\0'`, expected: (v) => `a'${v}"b\n` },
  {
    script: (n) => `cat <<'EOF'\n$HOME \`x\` \\ $(touch pwned) '\${${n}}' \\\nEOF\nprintf '\\0'`,
    expected: (v) => `$HOME \`x\` \\ $(touch pwned) '${v}' \\\n`
  },
  { script: (n) => `\tcat <<-\\EOF | cat\n\t\ta$\${${n}}\n\tEOF\nprintf '\\0'`, expected: (v) => `a$${v}\n` },
  { script: (n) => `cat <<"E F" 3<&0\n\${${n}}\nE F\nprintf '\\0'`, expected: (v) => `${v}\n` },
  {
    script: (n) => `cat <<A <<'B'; printf '\\0'\n\${${n}}\nA\n$x\${${n}}\nB`,
    expected: (v) => `$x${v}\n`
  },
  { script: (n) => `cat <<EOF\n$(printf %s '\${${n}}'; echo x)\nEOF\nprintf '\\0'`, expected: (v) => `${v}x\n` },
  { script: (n) => `printf '%s\\0' "$(printf '%sx' '\${${n}}')"`, expected: (v) => `${v}x` },
  { script: (n) => `printf '%s\\0' "$(printf '%sx' "$(printf '%sy' '\${${n}}')")"`, expected: (v) => `${v}yx` },
  { script: (n) => `printf '%s\\0' "$(case a in a) printf '%sx' '\${${n}}';; esac)"`, expected: (v) => `${v}x` },
  { script: (n) => `x="$(cat <<'EOF'\n$y\${${n}}\nEOF\necho x)"; printf '%s\\0' "$x"`, expected: (v) => `$y${v}\nx` },
  { script: (n) => `x=\`printf '%sx' '\${${n}}'\`; printf '%s\\0' "$x"`, expected: (v) => `${v}x` },
  { script: (n) => `printf '%s\\0' "\`printf '%sx' '\${${n}}'\`"`, expected: (v) => `${v}x` },
  {
    script: (n) => `x=\`printf '%sx' "\\\`printf '%sy' '\${${n}}'\\\`"\`; printf '%s\\0' "$x"`,
    expected: (v) => `${v}yx`
  },
  { script: (n) => `printf '%s\\0' "\${NOT_SET:-\${${n}}}"`, expected: same },
  { script: (n) => `printf '%s\\0' "\${NOT_SET:-'\${${n}}'}"`, expected: (v) => `'${v}'` },
  { script: (n) => `x=\${NOT_SET:-'\${${n}}'}; printf '%s\\0' "$x"`, expected: same },
  { script: (n) => `x='pre\${${n}}'; printf '%s\\0' "\${x%'\${${n}}'}"`, expected: () => "pre" },
  {
    script: (n) => `case '\${${n}}' in\n"\${${n}}") printf '%s\\0' 'is "\${${n}}"';; esac`,
    expected: (v) => `is "${v}"`
  },
  { script: (n) => `f() { printf '%s\\0' "$1"; }; f \\\n  '\${${n}}'`, expected: same },
  { script: (n) => `sh -c 'printf "%s\\0" "$1"' sh '\${${n}}'`, expected: same },
  { script: (n) => `printf '%s\\0' '\${${n}:json}'`, expected: (v) => JSON.stringify(v) },
  { script: (n) => `printf '%s\\0' $'it\\'s \${${n}}\\''`, expected: (v) => `it's ${v}'`, only: "bash" },
  { script: (n) => `x=('\${${n}}' b); printf '%s\\0' "\${x[0]}"`, expected: same, only: "bash" },
  { script: (n) => `[[ '\${${n}}' == "\${${n}}" ]] && printf '%s\\0' "\${${n}}"`, expected: same, only: "bash" },
  { script: (n) => `x='\${${n}}'; printf '%s\\0' "\${x//'\${${n}}'/}"`, expected: () => "", only: "bash" }
]

const nastyText: FastCheck.Arbitrary<string> = FastCheck.array(
  FastCheck.oneof(
    FastCheck.constantFrom(
      "'",
      '"',
      "`",
      "$",
      "\\",
      "\n",
      "\t",
      " ",
      "{",
      "}",
      "(",
      ")",
      "#",
      "~",
      "!",
      "&",
      ";",
      "|",
      "<",
      ">",
      "=",
      "[",
      "]",
      "$(touch pwned)",
      "`touch pwned`",
      "'; touch pwned; '",
      '"; touch pwned; "',
      "; touch pwned #",
      "\ntouch pwned\n",
      "${HOME}",
      "$HOME",
      "$((1))",
      "${item.v0}",
      "a[$(touch pwned)]",
      "EOF",
      "\nEOF\ntouch pwned\n",
      "-n",
      "--help",
      "-e",
      "*",
      "?",
      "[a-z]*",
      "../..",
      "%s",
      "\\n",
      "\\0",
      "é",
      "日本",
      "👩‍💻",
      "\u200b",
      "\r\n",
      "\u0001",
      "\u001b[0m"
    ),
    FastCheck.string({ unit: "binary", maxLength: 8 }).filter((text) => !text.includes("\0"))
  ),
  { maxLength: 6 }
).map((parts) => parts.join(""))

const shellFragment: FastCheck.Arbitrary<string> = FastCheck.oneof(
  FastCheck.constantFrom(
    "'",
    '"',
    "`",
    "$",
    "\\",
    "\n",
    "\t",
    " ",
    "{",
    "}",
    "(",
    ")",
    "((",
    "))",
    "#",
    "&",
    "&&",
    ";",
    ";;",
    "|",
    "<",
    ">",
    "<<",
    "<<-",
    "<<EOF\n",
    "<<'EOF'\n",
    "EOF\n",
    "\nEOF\n",
    "$(",
    "$((",
    "${",
    "${X",
    "${X}",
    "$X",
    "$1",
    "$'",
    "${X:-",
    "${X%",
    "${#X}",
    "${arr[@]}",
    "[[",
    "]]",
    "-eq",
    "if ",
    "case x in ",
    "esac",
    "in ",
    "sh -c ",
    "eval ",
    "x=(",
    "x[",
    "\\`",
    "\\$",
    "2>&1",
    "&>",
    " KNOWN",
    " item",
    "${#",
    "$[",
    "<(",
    ":",
    "."
  ),
  FastCheck.string({ unit: "binary", maxLength: 5 })
).filter((text) => text !== ".")

// Scripts that quote and nest in every way, with ${item} at the leaves
const { commandText } = FastCheck.letrec<{ commandText: string; word: string; quotedPart: string }>((tie) => {
  const join = (parts: FastCheck.Arbitrary<string>, maxLength: number) =>
    FastCheck.array(parts, { minLength: 1, maxLength }).map((texts) => texts.join(""))
  const item = FastCheck.constant("${item}")
  const single = join(FastCheck.oneof(item, FastCheck.constantFrom(...'ab"$#(){}; \n')), 4).map((text) => `'${text}'`)
  const body = join(
    FastCheck.oneof(
      item,
      tie("quotedPart"),
      FastCheck.constantFrom("a", "'", '"', "#", "(", ")", " ", "\n", "\\$", "\\\\")
    ),
    5
  )
  const quotedBody = join(
    FastCheck.oneof(
      item,
      FastCheck.constantFrom("a", "'", '"', "#", "(", "`", "\n", "\\ ", "$", "${X%", "$((", "\\$X")
    ),
    6
  )
  const double = join(
    FastCheck.oneof(
      item,
      tie("quotedPart"),
      FastCheck.constantFrom("a", "'", "#", "(", ")", "}", " ", "\n", '\\"', "\\\\", "\\$", "\\`", "\\a")
    ),
    4
  ).map((text) => `"${text}"`)
  // Dash and bash differ on a heredoc inside a heredoc with the same delimiter
  const delimiter = (text: string) => text.split("EOF").length
  const command = FastCheck.oneof(
    { depthSize: "small", withCrossShrink: true },
    FastCheck.array(tie("word"), { minLength: 1, maxLength: 3 }).map((words) => `printf '<%s>' ${words.join(" ")}\n`),
    tie("word").map((word) => `x=${word}; printf '[%s]' "$x"\n`),
    FastCheck.tuple(tie("commandText"), tie("commandText")).map(([a, b]) => a + b),
    tie("commandText").map((text) => ` (${text})\n`),
    tie("commandText").map((text) => `{ ${text}} # it's "a $(comment \${item}\n`),
    tie("commandText").map((text) => `if :; then ${text}fi; f() { ${text}}\nf | cat\n`),
    FastCheck.tuple(tie("word"), tie("commandText")).map(
      ([word, text]) => `case ${word} in a) ${text};; (*) ${text};; esac\n`
    ),
    body.map((text) => `cat <<EOF${delimiter(text)}\n${text}\nEOF${delimiter(text)}\n`),
    quotedBody.map((text) => `cat <<'EOF' | cat\n${text}\nEOF\n`),
    quotedBody.map((text) => `cat <<-"E;F" | cat\n\t${text}\n\tE;F\n`)
  )
  const expansion = (word: FastCheck.Arbitrary<string>) =>
    FastCheck.oneof(
      tie("commandText").map((text) => `$(${text})`),
      tie("commandText").map((text) => (/[`\\]/.test(text) ? `$(${text})` : `\`${text}\``)),
      word.map((text) => `\${NOT_SET:-${text}}`),
      word.map((text) => `\${HOME%${text}}`),
      // Not `$%`: before a text, not before a variable, it keeps bash from splitting what `$(…)` gives in the same word.
      FastCheck.constantFrom("$((1 + (2)))", "$HOME", "${#HOME}", "$#")
    )
  return {
    commandText: command,
    word: join(
      FastCheck.oneof(
        { depthSize: "small" },
        FastCheck.constantFrom("a", "\\'", '\\"', "\\$", "\\ ", "\\#", "b#", "a\\\n"),
        item,
        single,
        double,
        expansion(tie("word"))
      ),
      3
    ),
    quotedPart: expansion(join(FastCheck.oneof(item, FastCheck.constantFrom("a", "b", "'a'")), 2))
  }
})

function interpreters(): ReadonlyArray<string> {
  return ["sh", "bash"].filter((name) => ChildProcess.spawnSync(name, ["-c", ":"]).status === 0)
}

const empty: Scope = { author: {}, data: {} }

const data = (value: Json, name = "item"): Scope => ({ author: {}, data: { [name]: value } })

const rendered = (script: string, scope: Scope): ShellText.ShellText => {
  const result = ShellText.render(script, scope)
  if (Either.isLeft(result)) {
    throw new Error(`${result.left.message}\n${script}`)
  }
  return result.right
}

const failure = (script: string, scope: Scope): TemplateError => {
  const result = ShellText.render(script, scope)
  if (Either.isRight(result)) {
    throw new Error(`should have failed: ${result.right.script}`)
  }
  return result.left
}

/** The names of the files that a script leaves where it runs. */
const leftBy = (interpreter: string, script: string, env: Readonly<Record<string, string>>) => {
  const cwd = Fs.mkdtempSync(Path.join(directory, "left-"))
  ChildProcess.spawnSync(interpreter, ["-c", script], {
    cwd,
    input: "",
    timeout: 10_000,
    env: { PATH: process.env["PATH"] ?? "", HOME: cwd, ...env }
  })
  return Fs.readdirSync(cwd)
}

const spawn = (interpreter: string, script: string, env: Readonly<Record<string, string>>) => {
  const cwd = Path.join(directory, "cwd")
  Fs.rmSync(cwd, { recursive: true, force: true })
  Fs.mkdirSync(cwd)
  const file = Path.join(directory, "script")
  Fs.writeFileSync(file, script)
  const outcome = ChildProcess.spawnSync(interpreter, [file], {
    cwd,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    env: { PATH: process.env["PATH"] ?? "", HOME: cwd, LC_ALL: "C.UTF-8", ...env }
  })
  assert.deepStrictEqual(Fs.readdirSync(cwd), [], "the script left files")
  return outcome
}

const run = (
  interpreter: string,
  script: string,
  scope: Scope,
  inherited: Readonly<Record<string, string>> = {}
): string => {
  const text = rendered(script, scope)
  const paths: Record<string, string> = {}
  for (const [name, content] of Object.entries(text.files)) {
    paths[name] = Path.join(directory, name)
    Fs.writeFileSync(paths[name], content)
  }
  const outcome = spawn(interpreter, text.script, { ...inherited, ...text.env, ...paths })
  assert.strictEqual(outcome.stderr, "")
  return outcome.stdout
}
