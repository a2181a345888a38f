import * as JobStore from "@prodigy/core/storage/JobStore"
import { suite } from "@prodigy/testing/suite/JobStoreSuite"
import * as Layer from "effect/Layer"
import * as TemporaryHome from "./TemporaryHome.ts"

suite("memory", Layer.provideMerge(JobStore.layer, TemporaryHome.layerMemory))
suite("disk", Layer.provideMerge(JobStore.layer, TemporaryHome.layerDisk))
