import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as FileLock from "@prodigy/core/storage/FileLock"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as NodeProcessTable from "@prodigy/core/storage/ProcessTable/Node"
import * as SessionStore from "@prodigy/core/storage/SessionStore"
import { suite } from "@prodigy/testing/suite/SessionStoreSuite"
import * as Layer from "effect/Layer"
import * as TemporaryHome from "./TemporaryHome.ts"

const layer = SessionStore.layer.pipe(Layer.provide(FileLock.layer), Layer.provide(IdGenerator.layer))

const layerMemory = Layer.provideMerge(layer, Layer.merge(TemporaryHome.layerMemory, ProcessTable.layerMemory))
const layerDisk = Layer.provideMerge(layer, Layer.merge(TemporaryHome.layerDisk, NodeProcessTable.layer))

suite("memory", layerMemory)
suite("disk", layerDisk)
