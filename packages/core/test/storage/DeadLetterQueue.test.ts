import * as DeadLetterQueue from "@prodigy/core/storage/DeadLetterQueue"
import { suite } from "@prodigy/testing/suite/DeadLetterQueueSuite"
import * as Layer from "effect/Layer"
import * as TemporaryHome from "./TemporaryHome.ts"

suite("memory", Layer.provideMerge(DeadLetterQueue.layer, TemporaryHome.layerMemory))
suite("disk", Layer.provideMerge(DeadLetterQueue.layer, TemporaryHome.layerDisk))
