import { assert, describe, it } from "@effect/vitest"
import * as Parameters from "@prodigy/core/workflow/Parameters"

const workflow = {
  name: "migrate",
  env: { LEVEL: "1", ticket_url: "https://x/${ticket}" },
  map: { agent_template: [{ prompt: "/fix $TARGET ${raw:extra} now", when: "dry == 'no'", line: 4, id: null }] }
}

describe("Parameters", () => {
  it("finds those that no text names, with what was probably meant", () => {
    assert.deepStrictEqual(Parameters.unused(workflow, ["TRAGET", "ticket", "tiket", "nothing_like_it"]), [
      { name: "TRAGET", suggestions: ["TARGET"] },
      { name: "tiket", suggestions: ["ticket"] },
      { name: "nothing_like_it", suggestions: [] }
    ])
  })

  it("takes a word in a placeholder, an expression or an environment value for a use", () => {
    assert.deepStrictEqual(Parameters.unused(workflow, ["TARGET", "extra", "dry", "ticket"]), [])
  })

  it("does not take a part of a word, or the name of an environment variable, for a use", () => {
    const names = Parameters.unused(workflow, ["TARG", "LEVEL"]).map(({ name }) => name)
    assert.deepStrictEqual(names, ["TARG", "LEVEL"])
  })
})
