def check(folder, is_over=False):
    return {"problems": []}
def line(report):
    return "…"
def text(report):
    return "…"
