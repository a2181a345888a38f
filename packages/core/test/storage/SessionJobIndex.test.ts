import * as SessionJobIndex from "@prodigy/core/storage/SessionJobIndex"
import { suite } from "@prodigy/testing/suite/SessionJobIndexSuite"
import * as Layer from "effect/Layer"
import * as TemporaryHome from "./TemporaryHome.ts"

suite("memory", Layer.provideMerge(SessionJobIndex.layer, TemporaryHome.layerMemory))
suite("disk", Layer.provideMerge(SessionJobIndex.layer, TemporaryHome.layerDisk))
