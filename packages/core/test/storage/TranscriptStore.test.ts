import * as TranscriptStore from "@prodigy/core/storage/TranscriptStore"
import { suite } from "@prodigy/testing/suite/TranscriptStoreSuite"
import * as Layer from "effect/Layer"
import * as TemporaryHome from "./TemporaryHome.ts"

suite("memory", Layer.provideMerge(TranscriptStore.layer, TemporaryHome.layerMemory))
suite("disk", Layer.provideMerge(TranscriptStore.layer, TemporaryHome.layerDisk))
