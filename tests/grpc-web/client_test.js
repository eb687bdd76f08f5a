// Exceptions as a gRPC-Web client sees them. `SERVER` is the address of the service in
// `../grpc/server.rs`.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { toJson } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { Items } from "./generated/items_pb.js";
import { textFetch } from "./text.js";

const baseUrl = process.env.SERVER;

const forms = {
  binary: createGrpcWebTransport({ baseUrl }),
  text: createGrpcWebTransport({ baseUrl, fetch: textFetch }),
};

/** Code, message and header of each kind of fault. */
const ways = {
  Returned: [Code.NotFound, "Item not found", "own"],
  Raised: [Code.NotFound, "Item not found", "own"],
  RaisedAsync: [Code.NotFound, "Item not found", "own"],
  Panicked: [Code.Internal, "Internal Server Error", null],
  Error: [Code.Internal, "Internal Server Error", null],
};

/** Number of messages before each position, in a stream of two. */
const positions = { InTheHandler: 0, Before: 0, Between: 1, After: 2 };

const fault = (way, position) => ({ headers: { "x-way": way, "x-position": position } });

const named = (id) => ({ id, name: `item ${id}` });
const plain = ({ id, name }) => ({ id, name });

async function failure(call) {
  try {
    await call;
  } catch (error) {
    return ConnectError.from(error);
  }
  assert.fail("the call did not fail");
}

function assertError(error, way) {
  const [code, message, own] = ways[way];
  assert.deepEqual([error.code, error.rawMessage], [code, message]);
  assert.equal(error.metadata.get("x-own"), own);
}

/** Asserts that this is the status of `structured` in `../grpc/faults.rs`. */
function assertStructured(error) {
  assert.equal(error.code, Code.FailedPrecondition);
  const detail = { reason: "out of stock", id: 7, left: [0.5, null, true, "é"] };
  assert.deepEqual(JSON.parse(error.rawMessage), detail);
  const details = error.findDetails(StructSchema);
  assert.deepEqual(details.map((found) => toJson(StructSchema, found)), [detail]);
}

for (const [form, transport] of Object.entries(forms)) {
  const client = createClient(Items, transport);

  const list = async (way, position) => {
    const items = [];
    const error = await failure(
      (async () => {
        for await (const item of client.list({ items: 2 }, fault(way, position))) {
          items.push(plain(item));
        }
      })(),
    );
    assert.deepEqual(items, [1, 2].slice(0, positions[position]).map(named));
    return error;
  };

  describe(form, () => {
    test("nothing raised", async () => {
      assert.deepEqual(plain(await client.get({ id: 7 })), named(7));
      const items = [];
      for await (const item of client.list({ items: 3 })) {
        items.push(plain(item));
      }
      assert.deepEqual(items, [1, 2, 3].map(named));
    });

    for (const way of Object.keys(ways)) {
      for (const position of ["Before", "Between", "After"]) {
        if (way === "Returned" && position === "After") {
          // The body's error is the exception. tonic-web reduces it to a text before an outer layer
          // sees it.
          continue;
        }
        test(`unary, ${way}, ${position}`, async () => {
          assertError(await failure(client.get({ id: 1 }, fault(way, position))), way);
        });
      }
      for (const position of Object.keys(positions)) {
        test(`server streaming, ${way}, ${position}`, async () => {
          assertError(await list(way, position), way);
        });
      }
    }

    test("unary, structured", async () => {
      assertStructured(await failure(client.get({ id: 1 }, fault("Structured", "Between"))));
    });
    for (const position of Object.keys(positions)) {
      test(`server streaming, structured, ${position}`, async () => {
        assertStructured(await list("Structured", position));
      });
    }
  });
}
