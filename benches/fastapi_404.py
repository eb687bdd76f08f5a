"""FastAPI app that sends the 404 of benches/load: uvicorn fastapi_404:app --no-access-log"""

from fastapi import FastAPI, HTTPException

app = FastAPI()


@app.get("/items/{item_id}")
async def read_item(item_id: int):
    raise HTTPException(status_code=404, detail="Item not found")
