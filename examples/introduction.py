"""The program of the published introduction to heksher, with the import changed and nothing else.

It needs a service that has the context features environment, user and theme, in that order:

    heksherlite serve --context-features "environment;user;theme"
"""

import asyncio
import contextvars
import os

import heksherlite as heksher

cache_ttl = heksher.Setting(name="cache_ttl", type=int, configurable_feature=['environment', 'user'], default_value=60)
background_color = heksher.Setting(name="background_color", type=str, configurable_feature=['environment', 'theme'], default_value="white")
theme_cv = contextvars.ContextVar('theme')


async def main():
    client = heksher.AsyncHeksherClient(service_url=os.getenv('HEKSHER_URL', 'http://127.0.0.1:8888'), update_interval=300, context_features=['environment', 'user', 'theme'], http_client_args={'headers': {'api_token': os.getenv('HEKSHER_API_TOKEN', '')}})
    client.set_defaults(environment=os.getenv('ENVIRONMENT', 'dev'))
    client.set_defaults(theme=theme_cv)
    client.track_contexts(environment=os.getenv('ENVIRONMENT', 'dev'), user=heksher.TRACK_ALL, theme=['bright', 'dark', 'blue'])
    await client.set_as_main()

    theme_cv.set('dark')
    print("cache_ttl of john:", cache_ttl.get(user='john'))
    print("background_color:", background_color.get())

    await client.aclose()


if __name__ == '__main__':
    asyncio.run(main())
