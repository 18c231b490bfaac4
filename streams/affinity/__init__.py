"""affinity: what a user likes, and what that user may like and has not seen.

topics    views (key: user) → liked-together (item, source partition) → related (to every partition of users); affinity,
          recommendations
fold      core.py: winners, tastes, pairs of likes; relations.py: counts of all partitions, item by item; suggest.py
formula   tastes.py: weights halve in a week, in integers; pairs.py: liked by one user not far apart
tables    user_tastes, user_recommendations, daybook:recommendations:{user}
promise   tastes and counts equal one pass over the winners, in any order and number; recommendations are best effort
"""
