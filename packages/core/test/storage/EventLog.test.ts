import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as EventLog from "@prodigy/core/storage/EventLog"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import { suite } from "@prodigy/testing/suite/EventLogSuite"
import * as Layer from "effect/Layer"
import * as TemporaryHome from "./TemporaryHome.ts"

const layer = EventLog.layer.pipe(Layer.provide(IdGenerator.layer), Layer.provide(ProcessTable.layerMemory))

suite("memory", Layer.provideMerge(layer, TemporaryHome.layerMemory))
suite("disk", Layer.provideMerge(layer, TemporaryHome.layerDisk))
