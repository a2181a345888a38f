import * as Session from "@prodigy/core/domain/Session"
import { assert, describe, it } from "@effect/vitest"

const statuses = Session.Status.literals
const ways: Readonly<Record<Session.Status, string>> = {
  Initializing: "Initializing Running Completed Failed Cancelled",
  Running: "Running Paused Completed Failed Cancelled",
  Paused: "Paused Running Completed Failed Cancelled",
  Completed: "Completed Running",
  Failed: "Failed Running",
  Cancelled: "Cancelled"
}

describe("Session", () => {
  describe("canBecome", () => {
    for (const from of statuses) {
      it(`leads from ${from} to ${ways[from]} and nowhere else`, () => {
        const reached = statuses.filter((to) => Session.canBecome(from, to))
        assert.sameMembers([...reached], ways[from].split(" "))
      })
    }
  })
})
