/** Writes the generated pages of `docs/`. Tests keep them current. */
import { writeFileSync } from "node:fs"
import { reference } from "../packages/cli/src/Reference.ts"

writeFileSync(new URL("../docs/cli-reference.md", import.meta.url), reference)
