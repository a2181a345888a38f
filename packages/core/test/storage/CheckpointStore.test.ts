import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as CheckpointStore from "@prodigy/core/storage/CheckpointStore"
import { suite } from "@prodigy/testing/suite/CheckpointStoreSuite"
import * as Layer from "effect/Layer"
import * as TemporaryHome from "./TemporaryHome.ts"

const layer = Layer.provide(CheckpointStore.layer, IdGenerator.layer)

suite("memory", Layer.provideMerge(layer, TemporaryHome.layerMemory))
suite("disk", Layer.provideMerge(layer, TemporaryHome.layerDisk))
