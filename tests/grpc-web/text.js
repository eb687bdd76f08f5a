// The text form of gRPC-Web for connect-web's transport, which supports only the binary form.

/** A `fetch` that sends and receives base64. */
export async function textFetch(url, init) {
  const headers = new Headers(init.headers);
  headers.set("content-type", "application/grpc-web-text+proto");
  headers.set("accept", "application/grpc-web-text+proto");
  const bytes = new Uint8Array(await new Response(init.body).arrayBuffer());
  const body = Buffer.from(bytes).toString("base64");
  const response = await fetch(url, { ...init, headers, body });

  const type = response.headers.get("content-type");
  if (!type?.startsWith("application/grpc-web-text")) {
    throw new Error(`the response is not in the text form: ${type}`);
  }
  const answer = new Headers(response.headers);
  answer.set("content-type", type.replace("-text", ""));
  return new Response(response.body.pipeThrough(decoder()), {
    status: response.status,
    headers: answer,
  });
}

/** Decodes base64, which may be padded after any group of four characters. */
function decoder() {
  let left = "";
  return new TransformStream({
    transform(chunk, controller) {
      const text = left + Buffer.from(chunk).toString("latin1");
      const whole = text.length - (text.length % 4);
      left = text.slice(whole);
      for (let start = 0; start < whole; start += 4) {
        controller.enqueue(decode(text.slice(start, start + 4)));
      }
    },
    flush() {
      if (left !== "") {
        throw new Error(`base64 ends with ${left}`);
      }
    },
  });
}

function decode(quartet) {
  const bytes = Buffer.from(quartet, "base64");
  if (bytes.toString("base64") !== quartet) {
    throw new Error(`not base64: ${quartet}`);
  }
  return new Uint8Array(bytes);
}
