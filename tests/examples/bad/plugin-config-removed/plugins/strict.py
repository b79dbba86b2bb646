from router import hookimpl


@hookimpl
def plugin_info():
    headers = {"type": "object", "required": ["accept"]}
    return {"config_schema": {"required": ["url"], "properties": {"headers": headers}}}
