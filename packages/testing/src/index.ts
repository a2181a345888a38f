/**
 * Every public module, one namespace each. Written by `npm run docs`.
 *
 * @since 0.1.0
 */
export * as Arbitraries from "./Arbitraries.ts"
export * as CrashExplorer from "./CrashExplorer.ts"
export * as FaultyFileSystem from "./FaultyFileSystem.ts"
export * as JobSamples from "./JobSamples.ts"
export * as MemoryCheckout from "./MemoryCheckout.ts"
export * as MemoryGit from "./MemoryGit.ts"
export * as MemoryWorkspace from "./MemoryWorkspace.ts"
export * as Samples from "./Samples.ts"
export * as ScriptedAgent from "./ScriptedAgent.ts"
export * as ScriptedProgram from "./ScriptedProgram.ts"
export * as ScriptedShell from "./ScriptedShell.ts"
export * as SimulatedClock from "./SimulatedClock.ts"
export * as SimulatedDisk from "./SimulatedDisk.ts"
export * as SimulatedFileSystem from "./SimulatedFileSystem.ts"
export * as SimulatedMachine from "./SimulatedMachine.ts"
export * as SimulatedScheduler from "./SimulatedScheduler.ts"
export * as Simulation from "./Simulation.ts"
export * as SimulationPlan from "./SimulationPlan.ts"
export * as TestProdigy from "./TestProdigy.ts"
export * as TestState from "./TestState.ts"
