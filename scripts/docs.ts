/** Writes what is generated: the reference page of the command, its JSON Schemas, the indexes of core and testing. Tests keep all current. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { reference, schemas } from "../packages/cli/src/Reference.ts"
import { coreIndex, testingIndex } from "./packageIndex.ts"

const at = (path: string) => new URL(`../${path}`, import.meta.url)

writeFileSync(at("docs/cli-reference.md"), reference)
writeFileSync(at("packages/core/src/index.ts"), coreIndex())
writeFileSync(at("packages/testing/src/index.ts"), testingIndex())
rmSync(at("docs/json"), { recursive: true, force: true })
mkdirSync(at("docs/json"))
for (const [name, text] of Object.entries(schemas)) writeFileSync(at(`docs/json/${name}`), text)
