/** Writes what is generated: the reference page of the command and the index of core. Tests keep both current. */
import { writeFileSync } from "node:fs"
import { reference } from "../packages/cli/src/Reference.ts"
import { coreIndex } from "./coreIndex.ts"

writeFileSync(new URL("../docs/cli-reference.md", import.meta.url), reference)
writeFileSync(new URL("../packages/core/src/index.ts", import.meta.url), coreIndex())
