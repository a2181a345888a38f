/**
 * `docs/cli-reference.md`, from the tree of commands.
 *
 * @since 0.1.0
 */
import { root } from "./Cli.ts"
import { meanings } from "./ExitCode.ts"
import { reference as render } from "./Render/Help.ts"

/**
 * The text of the page.
 *
 * @since 0.1.0
 * @category rendering
 */
export const reference: string = render(root, meanings)
