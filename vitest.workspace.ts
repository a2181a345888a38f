import { defineConfig } from "vitest/config"

const conditions = ["@prodigy/source"]
const project = (name: string, root: string, include: Array<string>) => ({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { name, root, include, testTimeout: 300_000, hookTimeout: 60_000 }
})

export default defineConfig({
  test: {
    // One for each core of a small machine: the default leaves one core to nobody, and most tests wait for processes.
    minWorkers: 1,
    maxWorkers: 2,
    projects: [
      project("core", "packages/core", ["test/**/*.test.ts"]),
      project("testing", "packages/testing", ["test/**/*.test.ts"]),
      project("cli", "packages/cli", ["test/**/*.test.ts"]),
      project("examples", "examples", ["**/*.test.ts"])
    ]
  }
})
